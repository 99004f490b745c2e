#!/usr/bin/env python3
"""Makes ONNX files as other programs write them and checks how dfrt reads them.

    python tools/check_detectors.py --dfrt target/release/dfrt --out detectors

The files are small detectors whose logits are known, from PyTorch in double precision
or, for files in half precision or integers, from onnxruntime on the same file. Each is
given to `dfrt eval` without options. It is

- right, if every logit is correct;
- asked, if the error names an option to pass, and every logit is correct with it; also if
  its classes are in the other order and dfrt warns of it and names --fake-index;
- refused, if the file cannot be read by any means and the error says why;
- wrong otherwise.

Some are also attacked, verified, timed and inspected, and the logits of the saved pictures
are compared. Prints a table and the counts; exits 1 if one is wrong.

Needs: pip install torch timm onnx onnxruntime onnxscript onnxconverter-common onnxsim numpy pillow
"""

import argparse
import collections
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from check_detectors.case import RES, Failure
from check_detectors.cases import all_cases
from check_detectors.judge import Judgement, called, error_of, judged, operators, pixels, sound
from PIL import Image

OUTCOMES = ["right", "asked", "refused", "wrong"]


def drawn(dfrt, faces, out, count):
    """Pictures of the models' size as PNG, `count` a class, so that both sides read the
    same values."""
    if not faces.exists():
        ended = called([dfrt, "data", "synth", "--out", faces, "--count", 64, "--size", RES])
        if ended.returncode:
            raise Failure(f"no pictures: {error_of(ended)}")
    for label in ("real", "fake"):
        folder = out / "test" / label
        folder.mkdir(parents=True, exist_ok=True)
        found = sorted(path for path in faces.rglob("*.jpg") if path.parent.name == label or label in path.parts)
        for path in found[:count]:
            Image.open(path).convert("RGB").resize((RES, RES)).save(folder / f"{path.stem}.png")
    return sorted(out.rglob("*.png"))


def row(case, path, arguments, paths):
    """The judgement of a case, and the operators around its network."""
    try:
        fault = sound(case, path, paths[:4])
        judgement = Judgement("wrong", f"the case itself: {fault}") if fault else judged(case, path, arguments)
    except (Failure, OSError, ValueError, RuntimeError) as failure:
        judgement = Judgement("wrong", f"the case itself: {' '.join(str(failure).split())[:300]}")
    try:
        around = operators(path) if arguments.operators else ()
    except Exception:  # noqa: BLE001 - what is broken on purpose has no operators
        around = ("-", "-")
    return judgement, around


def line(case, judgement, around):
    off = "" if judgement.off_by is None else f"{judgement.off_by:.1e}"
    options = " ".join(case.options) if judgement.outcome == "asked" else ""
    cells = [case.name, case.what, judgement.outcome, judgement.said, options, off, *around]
    # The beginning of a message is enough.
    short = [f"{text[:117]}..." if len(text) > 120 else text for text in map(str, cells)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in short) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dfrt", type=Path, default=Path("target/release/dfrt"))
    parser.add_argument("--out", type=Path, default=Path("detectors"), help="folder for files and results")
    parser.add_argument("--limit", type=int, default=8, help="pictures of an attack")
    parser.add_argument("--queries", type=int, default=20, help="queries a picture of an attack")
    parser.add_argument("--only", default="", help="only files whose name contains this")
    parser.add_argument("--keep", action="store_true", help="keep files and results")
    parser.add_argument(
        "--operators", action="store_true", help="also show the operators before and after the network"
    )
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    arguments.data = arguments.out / "pictures"
    try:
        paths = drawn(arguments.dfrt, arguments.out / "faces", arguments.data, 8)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    batch = np.stack([pixels(path) for path in paths])
    labels = np.array([path.parent.name == "fake" for path in paths], np.int64)
    counts = collections.Counter()
    columns = ["file", "what it is", "outcome", "without options", "options that settle it", "logits off by"]
    columns += ["before", "behind"] if arguments.operators else []
    print("| " + " | ".join(columns) + " |")
    print("|" + " --- |" * len(columns))
    # Files are written one after another, because exporters are not thread-safe; the next
    # is written while dfrt reads the last.
    with ThreadPoolExecutor(1) as pool:
        waiting = collections.deque()

        def finish():
            case, path, ready = waiting.popleft()
            judgement, around = ready if isinstance(ready, tuple) else ready.result()
            counts[judgement.outcome] += 1
            print(line(case, judgement, around), flush=True)
            if not arguments.keep:
                shutil.rmtree(path.parent)

        for case in all_cases(batch, labels):
            if arguments.only not in case.name:
                continue
            path = arguments.out / "files" / case.name / "model.onnx"
            shutil.rmtree(path.parent, ignore_errors=True)
            path.parent.mkdir(parents=True)
            try:
                case.write(path)
                waiting.append((case, path, pool.submit(row, case, path, arguments, paths)))
            except Exception as failure:  # noqa: BLE001 - exporters fail in many ways
                reason = f"cannot be written: {' '.join(str(failure).split())[:300]}"
                waiting.append((case, path, (Judgement("wrong", reason), ("-", "-") if arguments.operators else ())))
            while len(waiting) > 1:
                finish()
        while waiting:
            finish()
    print(", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES) + f", of {sum(counts.values())} files")
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
