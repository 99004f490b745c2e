"""A file, what goes into it, what comes out, and the options that say what it cannot
prove. Logits are positive for fake everywhere."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

RES = 64
TOLERANCE = 1e-3


class Failure(Exception):
    """One line that says what is wrong and where."""


# --- what goes in: pixels [N, 3, H, W] in [0, 1], red first, to a file's input ------

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CAFFE = [103.939, 116.779, 123.68]


def channels(values, like):
    """One value a channel, [1, 3, 1, 1], as precise as `like`."""
    return torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1).to(like.dtype)


def none(pixels):
    return pixels


def imagenet(pixels):
    return (pixels - channels(MEAN, pixels)) / channels(STD, pixels)


def half(pixels):
    return (pixels - 0.5) / 0.5


def signed(pixels):
    return 2 * pixels - 1


def to_bytes(pixels):
    return 255 * pixels


def blue_first(pixels):
    """ImageNet's normalisation, channels turned round."""
    return imagenet(pixels).flip(1)


def caffe(pixels):
    return 255 * pixels.flip(1) - channels(CAFFE, pixels)


def uint8(pixels):
    return (255 * pixels).round().to(torch.uint8)


def channels_last(outside):
    return lambda pixels: outside(pixels).permute(0, 2, 3, 1).contiguous()


# --- what comes out: a list of outputs [N, ...] to logits [N] ----------------------


def numbers(output):
    """[N, numbers], in double precision."""
    return np.asarray(output, np.float64).reshape(len(output), -1)


def logit(outputs, place=0):
    return numbers(outputs[place])[:, 0]


def log_odds(probability):
    """Infinite where a probability is 0 or 1."""
    with np.errstate(divide="ignore"):
        return np.log(probability) - np.log1p(-probability)


def probability(outputs):
    return log_odds(numbers(outputs[0])[:, 0])


def real_probability(outputs):
    return -probability(outputs)


def two_logits(outputs, place=0):
    return numbers(outputs[place])[:, 1] - numbers(outputs[place])[:, 0]


def fake_first(outputs):
    return -two_logits(outputs)


def two_probabilities(outputs, place=0):
    with np.errstate(divide="ignore"):
        given = np.log(numbers(outputs[place]))
    return given[:, 1] - given[:, 0]


def class_of_logits(fake):
    """The log-odds of one class against the others."""

    def read(outputs):
        given = numbers(outputs[0])
        others = np.delete(given, fake, axis=1)
        return given[:, fake] - np.logaddexp.reduce(others, axis=1)

    return read


def class_of_probabilities(fake):
    return lambda outputs: log_odds(numbers(outputs[0])[:, fake])


def second(read):
    """Of several outputs of a file the second."""
    return lambda outputs: read(outputs, 1)


# --- the case ----------------------------------------------------------------------


@dataclass
class Case:
    name: str
    # What the file is, in a few words for the table.
    what: str
    write: Callable[[Path], None]
    outside: Callable = none
    read: Callable = logit
    # The PyTorch module whose logits are the true ones. Without it they are those of
    # onnxruntime on the file itself.
    model: torch.nn.Module | None = None
    # What a user has to say where the file cannot prove it.
    options: list[str] = field(default_factory=list)
    # A pattern of the refusal that is the right answer.
    refused: str = ""
    tolerance: float = TOLERANCE
    # Logits beyond what a 32-bit probability can carry are compared as such.
    saturated: bool = False
    # Also attacked, and the attack verified.
    attacked: bool = False
    # Whether onnxruntime can run the file as it stands.
    by_onnxruntime: bool = True
