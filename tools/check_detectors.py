#!/usr/bin/env python3
"""Makes ONNX files as other programs write them and checks that dfrt reads them right.

    python tools/check_detectors.py --dfrt target/release/dfrt --out detectors

Every file is evaluated, attacked and verified by dfrt; the reading that eval.json
records must be the expected one, and the logits of the evaluated pictures and of the
attack's saved pictures must be those that onnxruntime gives for the same pixels.
Weights are drawn, batch-norms are fitted to the pictures and the last layer is scaled,
so that logits spread over a few units. Prints a table; exits 1 where something differs.

Files by PyTorch: timm's efficientnet_b0 with one and two outputs, by the TorchScript
exporter and, where onnxscript is installed, by the newer one, which puts the weights
into a second file. Keras-style files (NHWC, transposes as tf2onnx writes them) are
built node by node.

Needs: pip install torch timm onnx onnxruntime numpy pillow  (onnxscript for the newer exporter)
"""

import argparse
import csv
import importlib.util
import json
import subprocess
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import timm
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

RES = 224
TOLERANCE = 1e-3
SEED = 0
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
PLAIN = ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])


class Failure(Exception):
    """One line that says what is wrong and where."""


@dataclass
class Case:
    """A file, how it must be read, and the options that say what cannot be guessed."""

    name: str
    write: object
    layout: str = "nchw"
    range: str = "0-1"
    norm: tuple = IMAGENET
    output: str = "logit"
    outputs: int = 1
    fake_index: int = 1
    options: list = field(default_factory=list)

    def reading(self):
        mean, std = self.norm
        return {
            "layout": self.layout,
            "range": self.range,
            "mean": mean,
            "std": std,
            "output": self.output,
            "outputs": self.outputs,
            "fake_index": self.fake_index,
        }


def run(*arguments):
    """Standard output of a command that must end well."""
    ended = subprocess.run([str(it) for it in arguments], capture_output=True, text=True)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no word"])[-1]
        raise Failure(f"{' '.join(str(it) for it in arguments[:4])}: {last}")
    return ended.stdout


def pixels(path):
    """The picture as [3, res, res] in [0, 1]."""
    picture = np.asarray(Image.open(path).convert("RGB"), np.float32) / np.float32(255)
    return np.moveaxis(picture, 2, 0)


# --- PyTorch -----------------------------------------------------------------------


def fitted(outputs, batch):
    """efficientnet_b0 with drawn weights whose logits on `batch` spread around 0."""
    torch.manual_seed(SEED)
    model = timm.create_model("efficientnet_b0", pretrained=False, num_classes=outputs)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET)
    with torch.no_grad():
        model.train()
        model((batch - mean) / std)
        # Without a momentum a batch-norm counts batches, which the newer exporter cannot trace.
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 0.1
        model.eval()
        found = model((batch - mean) / std)
        scale = 2 / found.std(0)
        model.classifier.weight *= scale[:, None]
        model.classifier.bias.copy_((model.classifier.bias - found.mean(0)) * scale)
    return model.eval()


class Inside(torch.nn.Module):
    """Takes pixels in 0-255 and normalises them itself."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        for name, values in zip(("mean", "std"), IMAGENET):
            self.register_buffer(name, 255 * torch.tensor(values).view(1, 3, 1, 1))

    def forward(self, pixels):
        return self.model((pixels - self.mean) / self.std)


class Ended(torch.nn.Module):
    """A model with its probabilities."""

    def __init__(self, model, end):
        super().__init__()
        self.model, self.end = model, end

    def forward(self, pixels):
        return self.end(self.model(pixels))


def exported(model, *, dynamo=False, batch=1, dynamic=("N",)):
    """A writer of `model`; `dynamic` names the open sizes: N, N H W, or none."""

    def write(path):
        example = torch.rand(batch, 3, RES, RES)
        places = {"N": 0, "H": 2, "W": 3}
        open_sizes = {places[name]: name for name in dynamic}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if dynamo:
                # A traced batch of one would be fixed.
                shapes = ({place: torch.export.Dim(name) for place, name in open_sizes.items()},)
                example = torch.rand(2, 3, RES, RES)
                torch.onnx.export(model, (example,), path, dynamo=True, dynamic_shapes=shapes, verbose=False)
            else:
                axes = {"pixels": open_sizes, "out": {0: "N"}} if open_sizes else None
                torch.onnx.export(
                    model,
                    (example,),
                    path,
                    dynamo=False,
                    opset_version=17,
                    input_names=["pixels"],
                    output_names=["out"],
                    dynamic_axes=axes,
                )

    return write


# --- Keras-style -------------------------------------------------------------------


def keras(outputs, end, rescale, batch):
    """A writer of a small NHWC network as tf2onnx writes Keras ones: the pixels are
    transposed before the convolutions, the features pooled, then a dense layer."""

    def write(path):
        draw = np.random.default_rng(SEED)
        sizes = [3, 16, 32]
        nodes, constants, value = [], [], "input_1"

        def constant(name, array):
            constants.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
            return name

        def then(operator, inputs, output, **attributes):
            nodes.append(helper.make_node(operator, inputs, [output], name=f"model/{output}", **attributes))
            return output

        if rescale:
            value = then("Mul", [value, constant("scale", [1 / 127.5])], "rescaling/mul")
            value = then("Add", [value, constant("offset", [-1.0])], "rescaling/add")
        value = then("Transpose", [value], "conv/transpose", perm=[0, 3, 1, 2])
        for place, (inner, outer) in enumerate(zip(sizes, sizes[1:])):
            kernel = constant(f"kernel{place}", draw.normal(size=(outer, inner, 3, 3)) * (2 / (9 * inner)) ** 0.5)
            bias = constant(f"bias{place}", draw.normal(size=outer) * 0.1)
            value = then(
                "Conv", [value, kernel, bias], f"conv{place}", strides=[2, 2], auto_pad="SAME_UPPER", kernel_shape=[3, 3]
            )
            value = then("Relu", [value], f"relu{place}")
        value = then("Transpose", [value], "back/transpose", perm=[0, 2, 3, 1])
        value = then("ReduceMean", [value], "pool", axes=[1, 2], keepdims=0)
        head = len(nodes)

        def model(weight, offset, operators):
            dense = [constant_of("dense", weight), constant_of("offset2", offset)]
            nodes_ = nodes[:head] + [
                helper.make_node("MatMul", [value, "dense"], ["matmul"], name="model/matmul"),
                helper.make_node("Add", ["matmul", "offset2"], ["dense/out"], name="model/add"),
            ]
            last = "dense/out"
            for operator in operators:
                nodes_.append(helper.make_node(operator, [last], ["predictions"], name=f"model/{operator}"))
                last = "predictions"
            graph = helper.make_graph(
                nodes_,
                "keras",
                [helper.make_tensor_value_info("input_1", TensorProto.FLOAT, ["unk__1", RES, RES, 3])],
                [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["unk__2", outputs])],
                constants + dense,
            )
            made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], producer_name="tf2onnx")
            made.ir_version = 8
            onnx.checker.check_model(made, full_check=True)
            return made

        def constant_of(name, array):
            return numpy_helper.from_array(np.asarray(array, np.float32), name)

        weight, offset = draw.normal(size=(sizes[-1], outputs)), np.zeros(outputs)
        first = onnxruntime.InferenceSession(
            model(weight, offset, []).SerializeToString(), providers=["CPUExecutionProvider"]
        )
        scale = 255 if rescale else 1
        found = first.run(None, {"input_1": np.moveaxis(batch, 1, 3) * np.float32(scale)})[0]
        weight, offset = weight * 1.5 / found.std(0), -1.5 * found.mean(0) / found.std(0)
        onnx.save(model(weight, offset, [end]), path)

    return write


# --- the check ---------------------------------------------------------------------


def cases(batch):
    """Every file, and how it must be read."""
    one, two = (fitted(outputs, torch.from_numpy(batch)) for outputs in (1, 2))
    sigmoid, softmax = Ended(one, torch.nn.Sigmoid()), Ended(two, torch.nn.Softmax(1))
    all_cases = [
        Case("timm-1-logit", exported(one)),
        Case("timm-2-logits", exported(two), outputs=2),
        Case("timm-2-logits-fake-first", exported(two), outputs=2, fake_index=0, options=["--fake-index", "0"]),
        Case("timm-1-logit-batch-4", exported(one, batch=4, dynamic=())),
        Case("timm-1-probability-any-size", exported(sigmoid, dynamic="NHW"), output="probability", options=["--res", RES]),
        Case("timm-2-probabilities", exported(softmax), output="probability", outputs=2),
        Case("timm-inside-0-255", exported(Inside(one)), range="0-255", norm=PLAIN),
        Case(
            "keras-2-probabilities-rescaling",
            keras(2, "Softmax", True, batch),
            layout="nhwc",
            range="0-255",
            norm=PLAIN,
            output="probability",
            outputs=2,
        ),
        Case("keras-1-probability", keras(1, "Sigmoid", False, batch), layout="nhwc", norm=PLAIN, output="probability"),
    ]
    if importlib.util.find_spec("onnxscript"):
        all_cases += [
            Case("timm-1-logit-dynamo", exported(one, dynamo=True)),
            Case("timm-2-logits-dynamo", exported(two, dynamo=True), outputs=2),
        ]
    else:
        print("onnxscript is not installed: the newer exporter is left out", file=sys.stderr)
    return all_cases


def reference(path, case, batch):
    """onnxruntime's logits [N], positive for fake, of pixels [N, 3, res, res] in [0, 1]."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    mean, std = (np.asarray(values, np.float32).reshape(1, 3, 1, 1) for values in case.norm)
    scale, offset = {"0-1": (1, 0), "0-255": (255, 0), "-1-1": (2, -1)}[case.range]
    given = (batch * np.float32(scale) + np.float32(offset) - mean) / std
    if case.layout == "nhwc":
        given = np.moveaxis(given, 1, 3)
    fixed = session.get_inputs()[0].shape[0]
    step = fixed if isinstance(fixed, int) else 1
    padded = np.concatenate([given, np.zeros((-len(given) % step, *given.shape[1:]), np.float32)])
    parts = [padded[i : i + step] for i in range(0, len(padded), step)]
    name = session.get_inputs()[0].name
    found = np.concatenate([session.run(None, {name: np.ascontiguousarray(part)})[0] for part in parts])
    found = found.reshape(len(padded), -1)[: len(given)].astype(np.float64)
    if found.shape[1] != case.outputs:
        raise Failure(f"{case.name}: has {found.shape[1]} outputs")
    if case.outputs == 2:
        found = np.log(found) if case.output == "probability" else found
        towards_one = found[:, 1] - found[:, 0]
    else:
        found = found[:, 0]
        towards_one = np.log(found) - np.log1p(-found) if case.output == "probability" else found
    return towards_one if case.fake_index == 1 else -towards_one


def farthest(found, expected):
    """The largest difference, as a share of logits of at least 1."""
    found, expected = np.asarray(found), np.asarray(expected)
    return float(np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))))


def check(case, arguments, folder):
    """A line of the table."""
    path = folder / f"{case.name}.onnx"
    case.write(str(path))
    given = ["--model", path, "--data", arguments.data, "--limit", arguments.limit, "--force", *case.options]
    out = folder / case.name
    run(arguments.dfrt, "eval", *given, "--out", out / "eval.json")
    reading = json.loads((out / "eval.json").read_text())["model"]["reading"]
    if json.loads(json.dumps(case.reading())) != reading:
        raise Failure(f"{case.name}: was read as {reading}, not as {case.reading()}")
    rows = list(csv.DictReader((out / "scores.csv").open(newline="", encoding="utf-8")))
    batch = np.stack([pixels(row["path"]) for row in rows])
    logits = reference(path, case, batch)
    evaluated = farthest([float(row["logit"]) for row in rows], logits)
    attack = out / "attack"
    run(arguments.dfrt, "attack", *given, "--method", "square", "--queries", arguments.queries, "--out", attack)
    run(arguments.dfrt, "verify", attack)
    attacked, turned = saved(path, case, attack)
    worst = max(evaluated, attacked)
    if not worst <= TOLERANCE:
        raise Failure(f"{case.name}: a logit is off by {worst:.1e} of its size")
    options = " ".join(str(option) for option in case.options) or "none"
    spread = f"{logits.min():.1f} to {logits.max():.1f}"
    return f"| {case.name} | {options} | {spread} | {evaluated:.1e} | {attacked:.1e} | {turned} |"


def saved(path, case, attack):
    """How far the logits of an attack's saved pictures are off, and what it turned over.
    Only pictures that were classified rightly are attacked and saved."""
    rows = list(csv.DictReader((attack / "samples.csv").open(newline="", encoding="utf-8")))
    worst, kept = 0.0, 0
    for side, column in (("clean", "clean_logit"), ("adversarial", "adv_logit")):
        present = [row for row in rows if (attack / side / f"{row['id']}.png").exists()]
        kept = len(present)
        if present:
            batch = np.stack([pixels(attack / side / f"{row['id']}.png") for row in present])
            found = [float(row[column]) for row in present]
            worst = max(worst, farthest(found, reference(path, case, batch)))
    turned = sum(row["success"] == "true" for row in rows)
    return worst, f"{turned} of {kept}"


def drawn(dfrt, faces, out):
    """Pictures of the models' size as PNG, so that both sides read the same values."""
    if not faces.exists():
        run(dfrt, "data", "synth", "--out", faces, "--count", 64, "--size", RES)
    for label in ("real", "fake"):
        folder = out / "test" / label
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted((faces / "test" / label).rglob("*.jpg")):
            Image.open(path).convert("RGB").save(folder / f"{path.stem}.png")
    return sorted(out.rglob("*.png"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dfrt", type=Path, default=Path("target/release/dfrt"))
    parser.add_argument("--out", type=Path, default=Path("detectors"), help="folder for files and results")
    parser.add_argument("--limit", type=int, default=8, help="pictures")
    parser.add_argument("--queries", type=int, default=20, help="queries a picture")
    parser.add_argument("--only", default="", help="only files whose name holds this")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    arguments.data = arguments.out / "pictures"
    failed = 0
    try:
        pictures = drawn(arguments.dfrt, arguments.out / "faces", arguments.data)
        batch = np.stack([pixels(path) for path in pictures])
        print("| file | options | logits | eval off by | attack off by | turned over |")
        print("| --- | --- | --- | --- | --- | --- |")
        for case in (case for case in cases(batch) if arguments.only in case.name):
            try:
                print(check(case, arguments, arguments.out), flush=True)
            except Failure as failure:
                print(f"error: {failure}", file=sys.stderr)
                failed += 1
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
