"""Every file."""

import torch

from .broken_cases import broken
from .exporter_cases import of_exporters, of_quantisers
from .head_cases import of_heads
from .network import Fitter
from .other_cases import beside, of_keras, of_others
from .tail_cases import of_tails


def all_cases(pixels, labels):
    """`pixels` are [N, 3, RES, RES] in [0, 1], `labels` [N], 1 for fake."""
    fitter = Fitter(torch.from_numpy(pixels), torch.from_numpy(labels))
    for kind in (of_tails, of_heads, of_exporters, of_quantisers, of_keras, of_others, beside, broken):
        yield from kind(fitter)
