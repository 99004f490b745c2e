#!/usr/bin/env python3
"""Checks that detectors saved by public programs keep their logits when dfrt imports them.

    python tools/check_checkpoints.py --dfrt target/release/dfrt

Each detector is built in PyTorch with random weights and statistics like after training,
and saved as its program saves it. It is imported twice: without options, which must either
give its logits or fail with one line that names an option, and with the options of the
table below, which must give its logits. Logits are compared between PyTorch and onnxruntime
on the model.onnx of the RUN. Prints a table; exits 1 if an import is wrong.

Needs the packages of tools/check_weights.py.
"""

import argparse
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

import timm
import torch
import torchvision
from check_weights import HALF, IMAGENET, Failure, onnx_logits, pictures, shake
from efficientnet_pytorch import EfficientNet
from torch import nn

# Of logits of order one: the rounding of float32 in 32 or more random blocks.
TOLERANCE = 5e-4
RES = 256
NONE = ([0.0] * 3, [1.0] * 3)


class Bench(nn.Module):
    """Laid out as DeepfakeBench's efficientnetb4: a plain stem without a border."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Module()
        net = self.backbone.efficientnet = EfficientNet.from_name("efficientnet-b4")
        net._conv_stem = nn.Conv2d(3, 48, kernel_size=3, stride=2, bias=False)
        net._fc = nn.Identity()
        self.backbone.last_layer = nn.Linear(1792, 2)

    def forward(self, x):
        return self.backbone.last_layer(self.backbone.efficientnet.extract_features(x).mean((2, 3)))


class Wrapped(nn.Module):
    """A network as an attribute of a module: SelfBlendedImages' `net`, Lightning's `model`."""

    def __init__(self, name, net):
        super().__init__()
        self.name = name
        setattr(self, name, net)

    def forward(self, x):
        return getattr(self, self.name)(x)


class Encoder(nn.Module):
    """selimsef's DFDC winner: timm's network, its own classifier left unused, and `fc`."""

    def __init__(self):
        super().__init__()
        self.encoder = timm.create_model("tf_efficientnet_b4")
        self.fc = nn.Linear(1792, 1)

    def forward(self, x):
        return self.fc(self.encoder.forward_features(x).mean((2, 3)))


class Fornet(nn.Module):
    """ICPR2020DFDC's EfficientNetB4, with or without its attention."""

    def __init__(self, attention):
        super().__init__()
        self.efficientnet = EfficientNet.from_name("efficientnet-b4")
        self.classifier = nn.Linear(1792, 1)
        del self.efficientnet._fc
        if attention:
            self.efficientnet.attconv = nn.Conv2d(56, 1, kernel_size=1)

    def forward(self, x):
        net = self.efficientnet
        x = net._swish(net._bn0(net._conv_stem(x)))
        for index, block in enumerate(net._blocks):
            x = block(x)
            if index == 9 and hasattr(net, "attconv"):
                x = x * torch.sigmoid(net.attconv(x))
        return self.classifier(net._swish(net._bn1(net._conv_head(x))).mean((2, 3)))


class Pooled(nn.Module):
    """timm's network behind a GeM pool, whose power is one learned number."""

    def __init__(self):
        super().__init__()
        self.backbone = timm.create_model("tf_efficientnet_b0", num_classes=0, global_pool="")
        self.pooling = nn.Module()
        self.pooling.p = nn.Parameter(torch.tensor([3.0]))
        self.fc = nn.Linear(1280, 1)

    def forward(self, x):
        power = self.pooling.p
        return self.fc(self.backbone(x).clamp(min=1e-6).pow(power).mean((2, 3)).pow(1 / power))


class Scorer(nn.Module):
    """torchvision's features inside another program's module, a head without a bias."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.features = torchvision.models.efficientnet_b0().features
        self.score = nn.Linear(1280, 2, bias=False)

    def forward(self, x):
        return self.score(self.backbone.features(x).mean((2, 3)))


def renamed(state, prefix):
    return {f"{prefix}{name}": value for name, value in state.items()}


def trained(model, arch, **more):
    """As timm's train.py saves it, with a moving average that differs."""
    args = Namespace(model=arch, mean=None, std=None, bn_eps=None, img_size=RES, lr=0.1)
    average = {name: value * 1.01 if value.is_floating_point() else value for name, value in model.state_dict().items()}
    return {"epoch": 3, "arch": arch, "state_dict": model.state_dict(), "args": args, "state_dict_ema": average} | more


FAMILY = ["--family"]
# (program, how to make it, how it is saved, normalisation, the options that it needs)
CHECKPOINTS = [
    ("DeepfakeBench efficientnetb4", Bench, lambda m: m.state_dict(), HALF, [*FAMILY, "deepfakebench"]),
    (
        "SelfBlendedImages",
        lambda: Wrapped("net", EfficientNet.from_name("efficientnet-b4", num_classes=2)),
        lambda m: {"model": m.state_dict(), "optimizer": {"state": {}}, "epoch": 7},
        NONE,
        ["--key", "model", "--head", "net._fc", "--mean", "0,0,0", "--std", "1,1,1"],
    ),
    (
        "selimsef's DFDC winner",
        Encoder,
        lambda m: {"epoch": 1, "state_dict": renamed(m.state_dict(), "module."), "bce_best": 0.2},
        IMAGENET,
        ["--head", "fc", *FAMILY, "tf"],
    ),
    (
        "ICPR2020DFDC EfficientNetB4",
        lambda: Fornet(False),
        lambda m: {"net": m.state_dict()},
        IMAGENET,
        ["--key", "net", "--head", "classifier", *FAMILY, "efficientnet-pytorch"],
    ),
    # dfrt does not have this network, so it must be refused.
    ("ICPR2020DFDC EfficientNetAutoAttB4", lambda: Fornet(True), lambda m: {"net": m.state_dict()}, IMAGENET, None),
    (
        "timm's train.py, tf_efficientnet_b4_ns",
        lambda: timm.create_model("tf_efficientnet_b4", num_classes=2),
        lambda m: trained(m, "tf_efficientnet_b4_ns"),
        IMAGENET,
        [],
    ),
    (
        "timm's train.py, efficientnet_b0",
        lambda: timm.create_model("efficientnet_b0", num_classes=1),
        lambda m: trained(m, "efficientnet_b0"),
        IMAGENET,
        [],
    ),
    (
        "Lightning, timm's efficientnet_b4",
        lambda: Wrapped("model", timm.create_model("efficientnet_b4", num_classes=1)),
        lambda m: {"state_dict": renamed(m.state_dict(), "") | {"criterion.pos_weight": torch.ones(1)}, "epoch": 1},
        IMAGENET,
        [*FAMILY, "timm"],
    ),
    (
        "torchvision's efficientnet_b4, compiled and parallel",
        lambda: torchvision.models.efficientnet_b4(num_classes=2),
        lambda m: {"weights_of_detector": renamed(m.state_dict(), "_orig_mod.module.")},
        IMAGENET,
        ["--head", "classifier.1"],
    ),
    (
        "torchvision's features in another module, pixels as they are, no bias",
        Scorer,
        lambda m: renamed(m.state_dict(), "module."),
        NONE,
        ["--mean", "0,0,0", "--std", "1,1,1"],
    ),
    # Its dict of settings has the mean; timm's name of the network does not imply it.
    (
        "timm's tf_efficientnet_b0, a dict of settings with its mean",
        lambda: timm.create_model("tf_efficientnet_b0", num_classes=1),
        lambda m: {"config": {"model": "tf_efficientnet_b0", "mean": HALF[0], "std": HALF[1]}, "model": m.state_dict()},
        HALF,
        [],
    ),
    (
        "timm's tf_efficientnet_b0, a dict of settings without one",
        lambda: timm.create_model("tf_efficientnet_b0", num_classes=1),
        lambda m: {"config": {"model": "tf_efficientnet_b0", "lr": 0.1}, "model": m.state_dict()},
        NONE,
        ["--mean", "0,0,0", "--std", "1,1,1"],
    ),
    # Its pool is not the mean, so it must be refused.
    ("timm's tf_efficientnet_b0 behind GeM", Pooled, lambda m: m.state_dict(), IMAGENET, None),
    (
        "EfficientNet-PyTorch B7, bare",
        lambda: EfficientNet.from_name("efficientnet-b7", num_classes=2),
        lambda m: m.state_dict(),
        IMAGENET,
        [],
    ),
]


def imported(dfrt, path, out, options):
    """Imports a file; returns the error line of dfrt, or None."""
    command = [dfrt, "import", path, "--out", out, "--res", RES, *options]
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if not ran.returncode:
        return None
    lines = [line for line in ran.stderr.splitlines() if line.startswith("error: ")]
    if len(lines) != 1 or "--" not in lines[0]:
        raise Failure(f"no line that names an option: {ran.stderr.strip()}")
    return lines[0]


def check(dfrt, make, save, normalisation, options, folder):
    """(without options, with the options): `asked`, `refused` or the largest difference of logits."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in normalisation)
    pixels = pictures(4, RES)
    model = shake(make(), (pixels - mean) / std)
    with torch.no_grad():
        logits = model((pixels - mean) / std)
    expected = logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]
    path = folder / "checkpoint.pth"
    torch.save(save(model), path)
    results = []
    for name, given in [("alone", []), ("asked", options)]:
        if given is None:
            results.append("refused")
            continue
        out = folder / name
        error = imported(dfrt, path, out, given)
        if error:
            results.append("asked")
        else:
            results.append((onnx_logits(out / "model.onnx", pixels) - expected).abs().max().item())
    return results


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dfrt", type=Path, required=True, help="the program")
    options = parser.parse_args()
    failed = False
    print("| checkpoint | without options | options | with them |\n| --- | --- | --- | --- |")
    for name, make, save, normalisation, given in CHECKPOINTS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                alone, asked = check(options.dfrt.absolute(), make, save, normalisation, given, Path(folder))
            except Failure as failure:
                print(f"| {name} | FAILED: {failure} | | |")
                failed = True
                continue
        right = lambda result: isinstance(result, float) and result <= TOLERANCE
        fine = (alone == "asked" or right(alone)) and (asked == "refused" or right(asked))
        # A network that dfrt does not have must be refused.
        fine &= asked != "refused" or alone == "asked"
        failed |= not fine
        text = lambda result: result if isinstance(result, str) else f"within {result:.1e}"
        needed = "none fit" if given is None else f"`{' '.join(given)}`" if given else "none needed"
        print(f"| {name} | {text(alone)} | {needed} | {text(asked)}{'' if fine else ' WRONG'} |", flush=True)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
