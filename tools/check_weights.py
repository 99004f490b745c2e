#!/usr/bin/env python3
"""Imports PyTorch weights into dfrt, exports them again, and checks that nothing is lost.

    python tools/check_weights.py --dfrt target/release/dfrt

For torchvision's efficientnet_b0 to _b7, timm's efficientnet_b0, tf_efficientnet_b0, _b2, _b4,
_b6 and _lite0, and EfficientNet-PyTorch's B0, B1, B3, B4, B5 and B7, each with random weights
and random running statistics: saves the state in the formats of torch.save and as safetensors,
imports each with `dfrt import`, exports it under the same names, loads that strictly into
a fresh model of the same library and compares its logits; exports ONNX with any batch and
a fixed one, checks it by onnx.checker, and compares onnxruntime's logits with PyTorch's.
Prints a line per model; exits 1 if weights differ at all or logits by more than 1e-4.

Needs: pip install torch==2.15.0 torchvision==0.29.2 timm==1.0.31 onnx==1.23.2 \\
    onnxruntime==1.32.0 safetensors==0.8.0 && pip install --no-deps efficientnet_pytorch==0.7.1
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx
import onnxruntime
import timm
import torch
import torchvision
from efficientnet_pytorch import EfficientNet
from safetensors.torch import load_file, save_file

TOLERANCE = 1e-4
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
HALF = ([0.5] * 3, [0.5] * 3)


def of_torchvision(size, side, family="torchvision"):
    """A row of MODELS."""
    name = f"efficientnet_b{size}"
    make = lambda: getattr(torchvision.models, name)(num_classes=1)
    return f"torchvision {name}", make, (f"efficientnet-b{size}", side, "torchvision", family), IMAGENET


def of_timm(name, arch, side, family, normalisation=IMAGENET):
    """A row of MODELS."""
    make = lambda: timm.create_model(name, num_classes=1)
    return f"timm {name}", make, (f"efficientnet-{arch}", side, "timm", family), normalisation


def of_package(size, side):
    """A row of MODELS: EfficientNet-PyTorch, which pads for the resolution of the size."""
    arch = f"efficientnet-b{size}"
    make = lambda: EfficientNet.from_name(arch, num_classes=1)
    return f"EfficientNet-PyTorch B{size}", make, (arch, side, "efficientnet-pytorch", None), IMAGENET


# (name, how to make it, (dfrt's architecture, side, names, family), mean and deviation)
MODELS = [
    of_torchvision(0, 224),
    of_torchvision(1, 240),
    of_torchvision(2, 260),
    of_torchvision(3, 300),
    of_torchvision(4, 380, None),
    # From B5 on torchvision has another epsilon.
    of_torchvision(5, 96),
    of_torchvision(6, 96),
    of_torchvision(7, 96, None),
    of_timm("efficientnet_b0", "b0", 224, "timm-ra4", HALF),
    of_timm("tf_efficientnet_b0", "b0", 96, "tf"),
    of_timm("tf_efficientnet_b2", "b2", 260, "tf"),
    of_timm("tf_efficientnet_b4", "b4", 300, "tf"),
    of_timm("tf_efficientnet_b6", "b6", 128, "tf"),
    of_timm("tf_efficientnet_lite0", "lite0", 160, "tf-ap", HALF),
    of_package(0, 224),
    of_package(1, 256),
    of_package(3, 256),
    of_package(4, 256),
    of_package(5, 128),
    of_package(7, 96),
]


class Failure(Exception):
    """A failed check: one line that says what is wrong."""


def shake(model, pictures):
    """Sets weights and statistics like after training, so that logits differ by about one."""
    torch.manual_seed(7)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.weight.data.uniform_(0.5, 1.5)
        norm.bias.data.uniform_(-0.3, 0.3)
        norm.reset_running_stats()
        # Averages over all batches instead of moving averages.
        norm.momentum = None
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(pictures)
        logits = model.eval()(pictures)
        linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
        linear.weight /= logits.std()
        if linear.bias is not None:
            linear.bias.copy_((linear.bias - logits.mean()) / logits.std())
    return model


def run(dfrt, *arguments):
    """Runs dfrt; raises Failure if it fails."""
    ran = subprocess.run([dfrt, *map(str, arguments)], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise Failure(f"dfrt {' '.join(map(str, arguments))}: {ran.stderr.strip()}")


def pictures(count, res):
    """[count, 3, res, res] in [0, 1]: waves with noise, all different."""
    torch.manual_seed(1)
    x = torch.linspace(0, 1, res)
    waves = []
    for _ in range(3 * count):
        a, b, c = torch.rand(3)
        waves.append(0.5 + 0.4 * torch.sin(20 * (a * x[:, None] + b * x[None]) + 6 * c))
    return (torch.stack(waves).view(count, 3, res, res) + 0.1 * torch.randn(count, 3, res, res)).clamp(0, 1)


def saved(model, folder):
    """The state in every format, by name."""
    state = model.state_dict()
    parallel = {f"module.{name}": value for name, value in state.items()}
    paths = [folder / name for name in ("zip.pth", "legacy.pth", "wrapped.ckpt", "plain.safetensors")]
    torch.save(state, paths[0])
    torch.save(state, paths[1], _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": parallel, "optimizer": {"lr": 0.1}}, paths[2])
    save_file({name: value.contiguous() for name, value in state.items()}, paths[3])
    return paths


def require_equal(found, expected, what):
    """Raises Failure unless names and bits are equal."""
    if found.keys() != expected.keys():
        odd = sorted(found.keys() ^ expected.keys())[:3]
        raise Failure(f"{what}: names differ, such as {odd}")
    for name, value in expected.items():
        if not torch.equal(found[name], value):
            raise Failure(f"{what}: {name} differs")


def onnx_logits(path, pixels):
    """onnxruntime's logits [N] of a file that onnx.checker accepts."""
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logit"], {"pixels": pixels.numpy()})[0])[:, 0]


def check(dfrt, make, settings, normalisation, folder):
    """Checks a model; returns the largest difference of logits, and the logits."""
    arch, res, names, family = settings
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in normalisation)
    pixels = pictures(8, res)
    model = shake(make(), (pixels - mean) / std)
    with torch.no_grad():
        expected = model((pixels - mean) / std)[:, 0]
    first, back = folder / "run", folder / "back.safetensors"
    for path in saved(model, folder):
        out = folder / f"{path.stem}-run" if first.exists() else first
        given = ["--family", family] if family else []
        run(dfrt, "import", path, "--arch", arch, "--res", res, "--out", out, *given)
        back.unlink(missing_ok=True)
        run(dfrt, "export", out, "--out", back, "--names", names)
        require_equal(load_file(back), model.state_dict(), f"{path.name} there and back")
        # Those of B7 have 266 MB each.
        path.unlink()
        if out != first:
            shutil.rmtree(out)
    fresh = make()
    fresh.load_state_dict(load_file(back), strict=True)
    with torch.no_grad():
        again = fresh.eval()((pixels - mean) / std)[:, 0]
    if not torch.equal(again, expected):
        raise Failure("the reloaded model has other logits")
    worst = 0.0
    for batch in ([], ["--batch", len(pixels)]):
        path = folder / f"batch{len(batch)}.onnx"
        run(dfrt, "export", first, "--out", path, *batch)
        worst = max(worst, (onnx_logits(path, pixels) - expected).abs().max().item())
        twin, again = folder / f"again{len(batch)}", folder / f"again{len(batch)}.onnx"
        run(dfrt, "import", path, "--out", twin)
        run(dfrt, "export", twin, "--out", again, *batch)
        if path.read_bytes() != again.read_bytes():
            raise Failure("an exported file, imported and exported again, differs")
        path.unlink()
        again.unlink()
        shutil.rmtree(twin)
    return worst, expected


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dfrt", type=Path, required=True, help="the program")
    parser.add_argument("--only", default="", metavar="PATTERN", help="only models whose name matches this")
    options = parser.parse_args()
    failed = False
    for name, make, settings, normalisation in MODELS:
        if not re.search(options.only, name):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                worst, logits = check(options.dfrt.absolute(), make, settings, normalisation, Path(folder))
            except Failure as failure:
                print(f"{name}: FAILED: {failure}")
                failed = True
                continue
        fine = worst <= TOLERANCE
        failed |= not fine
        spread = f"logits {logits.min():.3f} to {logits.max():.3f}"
        print(
            f"{name} at {settings[1]} px: weights the same bits; onnxruntime within {worst:.1e} of PyTorch "
            f"({spread}){'' if fine else ': FAILED'}",
            flush=True,
        )
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
