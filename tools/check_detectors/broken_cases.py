"""Files that must be refused."""

import numpy as np
import torch

from . import files, heads, tails
from .case import (
    MEAN,
    STD,
    Case,
    imagenet,
)
from .files import exported
from .torch_case import inside


def broken(fitter):
    core = fitter.small(imagenet)
    one = inside(core).eval()
    write = exported(one)

    def case(name, what, write, refused):
        return Case(f"broken-{name}", what, write, refused=refused)

    yield case("nan", "a weight is NaN", files.edited(write, files.weight("head.weight", 3, np.nan)), "NaN|finite")
    yield case(
        "infinite",
        "a weight is infinite",
        files.edited(write, files.weight("head.weight", 3, np.inf)),
        "infinit|finite",
    )
    yield case(
        "nan-conv", "a Conv's weight is NaN", files.edited(write, files.weight("onnx::Conv", 7, np.nan)), "NaN|finite"
    )
    mean, variance = torch.tensor(MEAN), torch.tensor(STD) ** 2
    norm = torch.nn.Sequential(heads.BatchNorm(mean, variance), core).eval()
    yield case(
        "variance",
        "a running variance is negative",
        files.edited(exported(norm), files.weight("running_var", 1, -0.05)),
        "variance|negative",
    )
    with torch.no_grad():
        least = core.features(imagenet(fitter.pixels))[:, 0].median()
    rooted = tails.Rooted(heads.SubDiv(), core, least).eval()
    yield case("nan-logits", "NaN for half of the pictures", exported(rooted), "NaN|finite")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 16777216\n"
    yield case("lfs", "a Git LFS pointer", files.text(pointer), "LFS")
    yield case("empty", "an empty file", files.text(b""), "empty|0 bytes|no bytes")
    yield case(
        "cut",
        "the first half of a file",
        files.cut(write, 0.5),
        "cut|short|damaged|broken|whole|truncated|not an ONNX|no ONNX",
    )
    yield case("page", "a web page", files.text(b"<!DOCTYPE html>\n<html><body>404</body></html>\n"), "ONNX")
