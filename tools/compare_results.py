#!/usr/bin/env python3
"""Runs a fixed set of commands with two builds of dfrt and compares every file they write.

    python tools/compare_results.py --before old/dfrt --after target/release/dfrt --out compared

It checks a change of the code that should not change results: every attack once, a sweep,
both suites, a resumed attack, a recorded and a replayed one, a training, a study, a
verification. Files are compared byte by byte, JSON and CSV without the times in them; of
pages (HTML and Markdown) only that both builds wrote them, as they hold times. The newer
build also verifies the attacks that the older one wrote. Prints the files that differ, and
the seconds of both; exits 1 if any differ.

Needs only Python, and a Vulkan device (a software one is enough) for attacks with gradients.
"""

import argparse
import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

# Fields of a file with times, hosts or processes.
TIMES = re.compile(r"(^|_)(seconds|secs|ms|s|time|times|date|per_second|throughput|unix|started|ended|host|process)($|_)")
BLACK_BOX = ["square", "simba", "simba-dct", "nes", "spsa", "hop-skip-jump", "random-noise"]
LINF = ["sign-hunter", "rays"]
L2 = ["boundary"]
GRADIENTS = ["fgsm", "pgd", "mi-fgsm", "apgd-ce", "apgd-margin", "fab", "cw", "deepfool"]
ONE = ["--limit", "6", "--data", "faces"]
FEW = [*ONE, "--queries", "60"]


def commands():
    """Name and arguments of each command, in an order in which later ones use results of earlier ones."""
    yield "synth", "data synth --out faces --count 96 --size 32 --seed 3"
    yield "train", "train --data faces --out gr --method gr --arch efficientnet-tiny --res 32 --epochs 6 --lr 0.002 --batch 8 --seed 1"
    yield "eval", "eval --model gr --data faces --out eval.json"
    yield "corrupt", "corrupt --model gr/model.onnx --data faces --limit 8 --out corrupt.json"

    def attack(name, method, *more, few=FEW):
        return name, ["attack", "--model", "gr", "--method", method, "--out", f"attacks/{name}", *few, *more]

    for method in BLACK_BOX:
        for norm in ("linf", "l2"):
            yield attack(f"{method}-{norm}", method, "--norm", norm)
    for method in LINF:
        yield attack(f"{method}-linf", method)
    for method in L2:
        yield attack(f"{method}-l2", method, "--norm", "l2")
    for method in GRADIENTS:
        for norm in ("linf", "l2"):
            steps = [] if method == "fgsm" else ["--steps", "6"]
            yield attack(f"{method}-{norm}", method, "--norm", norm, *steps, few=ONE)
    yield attack("inside", "cw", "--goal", "inside", "--steps", "6", few=ONE)
    yield attack("transfer", "mi-fgsm", "--surrogate", "gr", few=ONE)
    yield attack("sweep", "square", "--eps", "1,2,4,8")
    yield attack("sweep-pgd", "pgd", "--eps", "1,2,4", few=ONE)
    yield attack("suite", "suite", "--steps", "6", "--restarts", "1")
    yield attack("suite-black", "suite-black")
    yield attack("suite-black-l2", "suite-black", "--norm", "l2")
    yield attack("recorded", "square", "--tape", "square.tape")
    yield attack("replayed", "square", "--replay", "square.tape")
    yield attack("killed", "simba", "--queries", "4000", few=ONE)
    yield attack("killed", "simba", "--queries", "4000", "--resume", few=ONE)
    yield "score", "eval --model gr/model.onnx --data faces --threshold auto:faces --out eval-auto.json"
    yield "verify", "verify attacks/square-linf"
    yield "verify-suite", "verify attacks/suite-black"
    yield "verify-sweep", "verify attacks/sweep"
    yield (
        "study",
        "study --data faces --out study --arch efficientnet-tiny --res 32 --epochs 2 --lr 0.002 --batch 8 --seeds 0,1 "
        "--attacks fgsm,pgd,square,random-noise --eps 2,8 --queries 40 --attack-limit 6 --no-masks",
    )
    yield "report", "report study"


def words(command):
    return command.split() if isinstance(command, str) else command


def run(dfrt, folder, only):
    """Runs all commands in `folder`; returns the seconds and the output of each."""
    spent, printed = {}, {}
    folder.mkdir(parents=True)
    for name, command in commands():
        if only and not re.search(only, name) and name not in ("synth", "train"):
            continue
        begun = time.monotonic()
        if name == "killed" and "--resume" not in command:
            kill_after_two_pictures([dfrt, *command], folder)
            continue
        ended = subprocess.run([dfrt, *words(command)], cwd=folder, capture_output=True, text=True, check=False)
        spent[name] = spent.get(name, 0) + time.monotonic() - begun
        printed[name] = f"{ended.returncode} {ended.stderr if ended.returncode else ''}"
        if ended.returncode:
            print(f"{name}: exit {ended.returncode}: {ended.stderr.strip().splitlines()[-1:]}", flush=True)
    return spent, printed


def kill_after_two_pictures(command, folder):
    """Kills an attack when its journal holds two pictures and its head."""
    journal = folder / "attacks/killed/journal.csv"
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while running.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 3):
            time.sleep(0.01)
        running.kill()


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(it) for key, it in value.items() if not TIMES.search(key)}
    if isinstance(value, list):
        return [without_times(it) for it in value]
    return value


def content(path, renamed):
    """The part of a file that has to be the same."""
    data = path.read_bytes()
    if path.suffix in (".json", ".jsonl"):
        text = data.decode()
        for old, new in renamed:
            text = text.replace(f'"{old}":', f'"{new}":')
        parsed = [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)
        return json.dumps(without_times(parsed))
    if path.name == "journal.csv":
        # It has no header, and its rows are in the order in which pictures ended; the ninth field is a time.
        head, *rows = data.decode().splitlines()
        return json.dumps([head, *sorted(",".join(it for at, it in enumerate(row.split(",")) if at != 8) for row in rows)])
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(data.decode())))
        kept = [at for at, name in enumerate(rows[0])] if rows else []
        kept = [at for at in kept if not TIMES.search(rows[0][at])]
        return json.dumps([[row[at] for at in kept if at < len(row)] for row in rows])
    if path.suffix in (".html", ".md"):
        # Reports contain times; their numbers are compared as JSON.
        return "page"
    return hashlib.sha256(data).hexdigest()


def compared(before, after, renamed):
    """The files that differ, and those that only one side has."""
    of = [{path.relative_to(root) for path in root.rglob("*") if path.is_file()} for root in (before, after)]
    for path in sorted(of[0] ^ of[1]):
        yield path, "only before" if path in of[0] else "only after"
    for path in sorted(of[0] & of[1]):
        if content(before / path, renamed) != content(after / path, renamed):
            yield path, "differs"


def read_back(dfrt, folder):
    """Verifies with a build every attack that the other one wrote."""
    for path in sorted((folder / "attacks").glob("*")):
        ended = subprocess.run(
            [dfrt, "verify", path.relative_to(folder)], cwd=folder, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            yield path.name, (ended.stderr.strip().splitlines() or ["no word"])[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--after", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for both builds' results; replaced")
    parser.add_argument("--only", help="only commands whose name matches this pattern")
    parser.add_argument("--keep-before", action="store_true", help="use the existing results of the older build")
    parser.add_argument("--renamed", nargs="*", default=[], metavar="OLD=NEW", help="fields of JSON with a new name")
    arguments = parser.parse_args()
    renamed = [pair.split("=") for pair in arguments.renamed]
    spent, printed = {}, {}
    for side in ("before", "after"):
        # Both builds run in the same folder, because results contain the paths of their data.
        folder = arguments.out / "run"
        times = arguments.out / f"{side}.json"
        if side == "before" and arguments.keep_before and times.exists():
            spent[side], printed[side] = json.loads(times.read_text())
            continue
        shutil.rmtree(folder, ignore_errors=True)
        spent[side], printed[side] = run(getattr(arguments, side).resolve(), folder, arguments.only)
        shutil.rmtree(arguments.out / side, ignore_errors=True)
        folder.rename(arguments.out / side)
        times.write_text(json.dumps([spent[side], printed[side]]))
    faults = list(compared(arguments.out / "before", arguments.out / "after", renamed))
    faults += [(name, "ends differently") for name in printed["after"] if printed["after"][name] != printed["before"].get(name)]
    faults += [
        (name, f"can no longer be verified: {line}")
        for name, line in read_back(arguments.after.resolve(), arguments.out / "before")
    ]
    for path, what in faults:
        print(f"{path}: {what}")
    for name in spent["after"]:
        before, after = spent["before"].get(name, 0), spent["after"][name]
        print(f"{name:24} {before:7.2f} s before, {after:7.2f} s after")
    files = sum(path.is_file() for path in (arguments.out / "after").rglob("*"))
    print(f"{len(faults)} differences, {files} files compared")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
