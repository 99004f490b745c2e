#!/usr/bin/env python3
"""Compares dfrt's attacks with those of torchattacks, ART and Foolbox, on the same ONNX file
and pictures, with the same budgets.

    python tools/peers/attacks.py MODEL.onnx [--data DATA] --dfrt target/release/dfrt

MODEL is a file that dfrt exported; DATA defaults to the data set that it names. dfrt
attacks it as usual (gradients on the GPU, Square through tract); the peers attack the same
file converted to PyTorch by onnx2torch, as a classifier of two classes whose logits are
-z/2 and z/2, z being the file's logit minus its threshold: its cross-entropy is that of
z. They get the 8-bit pictures that dfrt saved and that are classified correctly.

All results are judged in the same way: rounded to 8 bits within the ball, and classified again. Robust accuracy is
over all pictures, as in attack.json. Steps of PGD are a quarter of epsilon, starts are
random, Square has AutoAttack's windows (p = 0.8) stretched to the budget. Foolbox has no
Square.

FGSM's pictures are also compared value by value with torchattacks': they may differ only
where the gradient of the logit is below 1e-7 in size.

With --speed: the queries per second of Square in dfrt and in torchattacks, with the same
number of threads, in turns; in such a small ball that every picture uses all of its budget.

Needs: pip install torch==2.15.0 torchvision==0.29.2 onnx2torch==1.5.15 torchattacks==3.5.1
adversarial-robustness-toolbox==1.20.1 foolbox==3.3.4 pillow==13.0.0
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import torch
import torch.utils.model_zoo  # torchattacks needs it imported
import torchattacks
from onnx2torch import convert
from PIL import Image

# dfrt's name, its options, and the settings of the peers.
ATTACKS = {
    "FGSM": ["--method", "fgsm"],
    "PGD-10": ["--method", "pgd", "--steps", "10"],
    "PGD-40": ["--method", "pgd", "--steps", "40"],
    "Square-1000": ["--method", "square", "--queries", "1000"],
}
# How far the robust accuracy of dfrt may be above that of a peer.
ALLOWED = 0.01
# Below this the sign of a gradient is not compared.
FLAT = 1e-7
# The least ratio of queries per second, dfrt to torchattacks.
SPEED_TARGET = 1.5


class TwoClasses(torch.nn.Module):
    """The ONNX file as a classifier of real (0) and fake (1); counts the pictures it saw."""

    def __init__(self, path):
        super().__init__()
        file = onnx.load(path)
        known = {entry.key: entry.value for entry in file.metadata_props}
        self.threshold = float(known.get("dfrt.threshold", 0.0))
        self.file = convert(file)
        self.asked = 0
        # All modules, because torchattacks restores the mode of the outermost one.
        self.eval()

    def logit(self, pictures):
        self.asked += len(pictures)
        return self.file(pictures).reshape(-1) - self.threshold

    def forward(self, pictures):
        z = self.logit(pictures)
        return torch.stack([-0.5 * z, 0.5 * z], dim=1)


class Attacked:
    """The results of one run of `dfrt attack`."""

    def __init__(self, dfrt, model, options, out):
        self.folder = out
        line = [str(dfrt), "attack", "--model", str(model), "--out", str(out), "--json", *options]
        run = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if run.returncode != 0:
            raise SystemExit(f"error: {' '.join(line)} failed: {run.stderr.strip().splitlines()[-1]}")
        self.report = json.loads(run.stdout)
        with open(out / "samples.csv", newline="") as file:
            lines = [line for line in csv.DictReader(file) if line["clean_sha256"]]
        self.ids = [int(line["id"]) for line in lines]
        self.labels = torch.tensor([int(line["label"] == "fake") for line in lines])

    def pictures(self, side):
        """Every picture that was attacked, bytes [N, 3, res, res]."""
        opened = [np.asarray(Image.open(self.folder / side / f"{place}.png")) for place in self.ids]
        return torch.from_numpy(np.stack(opened)).permute(0, 3, 1, 2).contiguous()


def judged(model, clean, adversarial, labels, eps_255):
    """How many pictures are still classified correctly, as 8-bit pictures within the ball."""
    clean = clean.to(torch.int32)
    rounded = (adversarial * 255).round().to(torch.int32)
    rounded = torch.minimum(torch.maximum(rounded, clean - eps_255), clean + eps_255).clamp(0, 255)
    with torch.no_grad():
        z = torch.cat([model.logit(part) for part in (rounded / 255.0).split(64)])
    return int(((z > 0) == (labels == 1)).sum()), rounded


def torchattacks_of(name, model, eps):
    """The torchattacks attack of that name."""
    return {
        "FGSM": lambda: torchattacks.FGSM(model, eps=eps),
        "PGD-10": lambda: torchattacks.PGD(model, eps=eps, alpha=eps / 4, steps=10),
        "PGD-40": lambda: torchattacks.PGD(model, eps=eps, alpha=eps / 4, steps=40),
        "Square-1000": lambda: square(model, eps, 1000),
    }[name]()


def square(model, eps, queries):
    return torchattacks.Square(model, eps=eps, n_queries=queries, p_init=0.8, resc_schedule=True)


def by_torchattacks(name, model, clean, labels, eps):
    return torchattacks_of(name, model, eps)(clean, labels)


def by_art(name, model, clean, labels, eps):
    from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescentPyTorch, SquareAttack
    from art.estimators.classification import PyTorchClassifier

    classifier = PyTorchClassifier(
        model=model,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=tuple(clean.shape[1:]),
        nb_classes=2,
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    pgd = {"eps": eps, "eps_step": eps / 4, "num_random_init": 1, "batch_size": 64, "verbose": False}
    attack = {
        "FGSM": lambda: FastGradientMethod(classifier, eps=eps, batch_size=64),
        "PGD-10": lambda: ProjectedGradientDescentPyTorch(classifier, max_iter=10, **pgd),
        "PGD-40": lambda: ProjectedGradientDescentPyTorch(classifier, max_iter=40, **pgd),
        "Square-1000": lambda: SquareAttack(
            classifier, eps=eps, max_iter=1000, p_init=0.8, batch_size=64, verbose=False
        ),
    }[name]()
    return torch.from_numpy(attack.generate(clean.numpy(), y=labels.numpy()))


def by_foolbox(name, model, clean, labels, eps):
    import foolbox

    if name.startswith("Square"):
        return None
    there = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    attack = {
        "FGSM": lambda: foolbox.attacks.LinfFastGradientAttack(random_start=False),
        "PGD-10": lambda: foolbox.attacks.LinfPGD(rel_stepsize=0.25, steps=10),
        "PGD-40": lambda: foolbox.attacks.LinfPGD(rel_stepsize=0.25, steps=40),
    }[name]()
    _, clipped, _ = attack(there, clean, labels, epsilons=[eps])
    return clipped[0]


PEERS = {"torchattacks": by_torchattacks, "ART": by_art, "Foolbox": by_foolbox}


def differing(model, attacked, theirs):
    """Number of values in which FGSM's pictures differ: all, and those whose gradient is not tiny."""
    ours = attacked.pictures("adversarial").to(torch.int32)
    clean = (attacked.pictures("clean") / 255.0).requires_grad_(True)
    gradient = torch.autograd.grad(model.logit(clean).sum(), clean)[0]
    differs = ours != theirs
    return int(differs.sum()), int((differs & (gradient.abs() >= FLAT)).sum()), ours.numel()


def compare(options, scratch):
    """The table's lines."""
    model = TwoClasses(options.model)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    lines = []
    for eps_255 in options.eps:
        for name, arguments in ATTACKS.items():
            out = scratch / f"{name}-{eps_255}"
            given = [*arguments, "--eps", str(eps_255), "--limit", str(options.limit), *data_of(options)]
            ours = Attacked(options.dfrt, options.model, given, out)
            clean, labels = ours.pictures("clean"), ours.labels
            n = ours.report["n"]
            line = {
                "attack": name,
                "eps_255": eps_255,
                "n": n,
                "clean": ours.report["clean_accuracy"],
                "dfrt": ours.report["robust_accuracy"],
            }
            for peer, attack in PEERS.items():
                torch.manual_seed(0)
                np.random.seed(0)
                adversarial = attack(name, model, clean / 255.0, labels, eps_255 / 255)
                if adversarial is None:
                    line[peer] = None
                    continue
                left, rounded = judged(model, clean, adversarial.detach(), labels, eps_255)
                line[peer] = left / n
                if name == "FGSM" and peer == "torchattacks":
                    line["differing"] = differing(model, ours, rounded)
            best = min(line[peer] for peer in PEERS if line[peer] is not None)
            line["met"] = line["dfrt"] <= best + ALLOWED
            lines.append(line)
            print(f"{name} at {eps_255}/255: {line}", file=sys.stderr, flush=True)
    return lines


def data_of(options):
    return ["--data", str(options.data)] if options.data else []


def speed(options, scratch):
    """Queries per second of Square in dfrt and torchattacks, in turns."""
    torch.set_num_threads(options.threads)
    model = TwoClasses(options.model)
    rounds = []
    for turn in range(options.rounds):
        out = scratch / f"speed-{turn}"
        given = ["--method", "square", "--eps", "1", "--queries", str(options.queries), "--limit", str(options.limit)]
        ours = Attacked(options.dfrt, options.model, [*given, "--threads", str(options.threads), *data_of(options)], out)
        spent = ours.report["queries"]["total"] / ours.report["seconds"]
        clean, labels = ours.pictures("clean") / 255.0, ours.labels
        model.asked = 0
        start = time.perf_counter()
        with torch.no_grad():
            square(model, 1 / 255, options.queries)(clean, labels)
        theirs = model.asked / (time.perf_counter() - start)
        rounds.append({"dfrt": spent, "torchattacks": theirs, "ratio": spent / theirs})
        print(f"round {turn + 1}: {rounds[-1]}", file=sys.stderr, flush=True)
    ratio = median(one["ratio"] for one in rounds)
    return {"threads": options.threads, "rounds": rounds, "ratio": ratio, "met": ratio >= SPEED_TARGET}


def percent(share):
    return "-" if share is None else f"{100 * share:.1f} %"


def table(lines):
    """The lines as Markdown."""
    names = list(PEERS)
    text = [
        f"| attack | epsilon | n | clean | dfrt | {' | '.join(names)} | |",
        "| --- | --- | --- | --- | --- |" + " --- |" * (len(names) + 1),
    ]
    for line in lines:
        peers = " | ".join(percent(line[name]) for name in names)
        verdict = "met" if line["met"] else "missed"
        text.append(
            f"| {line['attack']} | {line['eps_255']}/255 | {line['n']} | {percent(line['clean'])} "
            f"| {percent(line['dfrt'])} | {peers} | {verdict} |"
        )
    for line in lines:
        if "differing" in line:
            every, steep, values = line["differing"]
            text.append(
                f"\nFGSM at {line['eps_255']}/255 beside torchattacks': {every} of {values} values differ, "
                f"{steep} of them with a gradient of {FLAT:g} or more."
            )
    return "\n".join(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--dfrt", type=Path, required=True)
    parser.add_argument("--eps", type=int, nargs="+", default=[1, 2], help="in 1/255 (default 1 2)")
    parser.add_argument("--limit", type=int, default=100, help="pictures (default 100)")
    parser.add_argument("--speed", action="store_true", help="compare the queries per second of Square instead")
    parser.add_argument("--threads", type=int, default=2, help="with --speed (default 2)")
    parser.add_argument("--queries", type=int, default=300, help="with --speed (default 300)")
    parser.add_argument("--rounds", type=int, default=3, help="with --speed (default 3)")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main():
    warnings.filterwarnings("ignore")
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="attacks-") as scratch:
        result = speed(options, Path(scratch)) if options.speed else compare(options, Path(scratch))
    if options.json:
        print(json.dumps(result, indent=2))
    elif options.speed:
        print(f"Square with {result['threads']} threads: dfrt makes {result['ratio']:.2f} times as many queries per second")
    else:
        print(table(result))


if __name__ == "__main__":
    main()
