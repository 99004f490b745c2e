"""Cases of PyTorch modules, and the options that answer questions."""

import torch

from . import heads
from .case import Case, none
from .files import exported

IMAGENET = ["--preprocess", "imagenet"]
HALF = ["--preprocess", "half"]
NONE = ["--preprocess", "none"]
CAFFE = ["--preprocess", "caffe"]
BYTES = ["--range", "0-255"]
LOGIT = ["--output", "logit"]
PROBABILITY = ["--output", "probability"]
FAKE_FIRST = ["--fake-index", "0"]


def torch_case(name, what, model, outside=none, *, write=None, **others):
    """A PyTorch module, by the TorchScript exporter where nothing else is said."""
    model.eval()
    return Case(name, what, write or exported(model, outside), outside, model=model, **others)


def inside(core, **normal):
    """A detector that takes pixels from 0 to 1 and normalises them itself."""
    return torch.nn.Sequential(heads.SubDiv(**normal), core)
