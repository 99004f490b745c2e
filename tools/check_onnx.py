#!/usr/bin/env python3
"""Checks an exported model against onnx.checker and onnxruntime.

    python tools/check_onnx.py model.onnx                    # is it valid, does it run?
    python tools/check_onnx.py model.onnx --pictures ATTACK  # are the logits the same?

ATTACK is the folder of `dfrt attack --out ATTACK`: its samples.csv holds the logits of the
pictures clean/<id>.png and adversarial/<id>.png, which have the model's resolution. Exits 1
if a logit differs by more than 1e-3 of its size.

Needs: pip install onnx onnxruntime numpy pillow
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

TOLERANCE = 1e-3
# For logits closer to zero than this the difference is relative to this.
SMALLEST = 1e-2
# (folder of pictures, column of samples.csv)
SIDES = [("clean", "clean_logit"), ("adversarial", "adv_logit")]


class Failure(Exception):
    """A failed check: one line that says what is wrong, where, and what to do."""


def checked_session(path):
    """An onnxruntime session of a file, after a check by onnx.checker."""
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Failure(f"{path}: is not a valid ONNX file: {reason}; export it again") from error
    opset = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    print(f"{path}: valid, IR {model.ir_version}, opset {opset}, {len(model.graph.node)} nodes")
    for entry in model.metadata_props:
        print(f"  {entry.key} = {entry.value}")
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def logits(session, batch):
    """Logits [N] of pixels [N, 3, res, res], in parts if the file has a fixed batch."""
    fixed = session.get_inputs()[0].shape[0]
    step = fixed if isinstance(fixed, int) else len(batch)
    if len(batch) % step:
        raise Failure(f"the file takes batches of {step}; export it with any batch or a batch of 1")
    parts = [session.run(["logit"], {"pixels": batch[i : i + step]})[0] for i in range(0, len(batch), step)]
    return np.concatenate(parts)[:, 0]


def check_it_runs(session):
    """Runs grey pictures through the file; equal pictures must have equal, finite logits."""
    batch, _, res, _ = session.get_inputs()[0].shape
    n = batch if isinstance(batch, int) else 2
    found = logits(session, np.full((n, 3, res, res), 0.5, np.float32))
    if not np.isfinite(found).all() or np.ptp(found) > 1e-5 * max(1.0, abs(found[0])):
        raise Failure(f"grey pictures get the logits {found.tolist()}; they should be equal and finite")
    print(f"  runs: grey pictures of {res} x {res} get {found[0]:.6f}")


def saved_samples(folder):
    """(id, side, expected logit, picture) of every saved picture."""
    table = folder / "samples.csv"
    try:
        with open(table, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise Failure(f"{table}: cannot be read ({error.strerror}); name an attack's --out folder") from error
    for row in rows:
        for side, column in SIDES:
            picture = folder / side / f"{row['id']}.png"
            if picture.exists():
                yield row["id"], side, float(row[column]), picture


def pixels(path, res):
    """[1, 3, res, res] in [0, 1]; never resized, because resizing is not under test."""
    with Image.open(path) as picture:
        if picture.size != (res, res):
            raise Failure(f"{path}: is {picture.size}, the model takes {res} x {res}; attack this model again")
        bytes_ = np.asarray(picture.convert("RGB"))
    return (bytes_.astype(np.float32) / np.float32(255)).transpose(2, 0, 1)[None]


def check_logits(session, folder):
    """Compares onnxruntime's logits with samples.csv; returns whether all agree."""
    batch, _, res, _ = session.get_inputs()[0].shape
    repeats = batch if isinstance(batch, int) else 1
    worst_absolute, worst_relative, worst_at, count = 0.0, 0.0, "", 0
    for name, side, expected, path in saved_samples(folder):
        found = float(logits(session, np.repeat(pixels(path, res), repeats, axis=0))[0])
        absolute = abs(found - expected)
        relative = absolute / max(abs(expected), SMALLEST)
        # A NaN counts as the largest difference.
        if not relative <= worst_relative:
            worst_relative, worst_at = relative, f"{side}/{name}.png: {found} here, {expected} there"
        worst_absolute = max(worst_absolute, absolute)
        count += 1
    if count == 0:
        raise Failure(f"{folder}: holds no saved pictures; run dfrt attack --out {folder} first")
    print(f"  {count} logits: largest difference {worst_absolute:.3g}, relative {worst_relative:.3g} ({worst_at})")
    return worst_relative <= TOLERANCE


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="the ONNX file")
    parser.add_argument("--pictures", type=Path, metavar="ATTACK", help="the --out folder of dfrt attack")
    arguments = parser.parse_args()
    session = checked_session(arguments.model)
    check_it_runs(session)
    if arguments.pictures and not check_logits(session, arguments.pictures):
        raise Failure(f"{arguments.model}: onnxruntime disagrees by more than {TOLERANCE:g} of a logit")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"error: {failure}")
