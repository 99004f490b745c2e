#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "torch==2.15.0",
#     "torchvision==0.29.2",
#     "timm==1.0.31",
#     "numpy==2.4.6",
#     "safetensors==0.8.0",
# ]
# ///
"""Computes the networks in PyTorch, as goldens that the tests compare dfrt with.

    python tools/reference.py               # writes fixtures/goldens/*.safetensors
    python tools/reference.py --check       # makes them again and compares; exits 1 on a difference
    python tools/reference.py --only b0_64  # only one file
    python tools/reference.py --onnx target/tmp/goldens    # checks the files that the tests exported by onnxruntime

Weights, pictures and labels come from the formula in `Formula`, which the tests
evaluate to the same bits (trainer/tests/gpu/goldens/formula.rs), so that a golden
holds only results. Networks are torchvision's EfficientNet-B0 and -B4 and timm's
tf_efficientnet_lite0 with one logit, dropout and stochastic depth off; the steps of the
arms are in tools/reference_arms.py. PyTorch runs on the CPU in float64, which is the
reference; its own rounding error in float32 is kept in the metadata of the files.

A tensor is kept as a row: its norm, its product with a random direction of the
formula, and entries at positions of the formula. fixtures/goldens/README.md describes
the content of each file.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
import timm
import torch
import torch.nn.functional as F
import torchvision
from reference_arms import Arm

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "goldens"

# Two runs may differ by this share of a tensor's size; float32 tensors by their rounding.
TOLERANCE = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-6, np.dtype(np.int8): 0.0}


# The first picture of Lite0, and the least distance of its activations from a corner of ReLU6.
LITE0_PICTURES, BEND_DISTANCE = 252, 6e-6

# onnxruntime's logits, of order one, may differ from the goldens by this.
ONNX_TOLERANCE = 1e-4


# The networks that torchvision makes; the others are timm's.
TORCHVISION = {
    "efficientnet-b0": torchvision.models.efficientnet_b0,
    "efficientnet-b4": torchvision.models.efficientnet_b4,
}


class Formula:
    """Numbers from a hash of (purpose, number, index), in 32-bit integers without state."""

    WEIGHT, PICTURE, NOISE, DIRECTION, PLACE, DRAW, KEY = range(1, 8)

    @staticmethod
    def mix(values):
        """Three rounds of shift and multiplication modulo 2^32."""
        values = values.astype(np.uint32)
        for _ in range(3):
            values = values ^ (values >> np.uint32(15))
            values = values * np.uint32(0x9E3779B1)
        return values ^ (values >> np.uint32(16))

    @classmethod
    def hashes(cls, purpose, number, count):
        """The hashes of indices 0 to count - 1."""
        key = cls.mix(np.array([purpose], np.uint32))
        key = cls.mix(key + np.uint32(number))
        return cls.mix(key + np.arange(count, dtype=np.uint32))

    @classmethod
    def uniform(cls, purpose, number, count):
        """Multiples of 2^-23 in [-1, 1), in float64."""
        return (cls.hashes(purpose, number, count) >> np.uint32(8)) / 2.0**23 - 1.0


# The deviation of a layer's outputs over that of its inputs. Small before a batch-norm,
# so that its epsilon matters; small in squeeze-excite, so that scales stay bounded.
GAIN_CONVOLUTION, GAIN_SQUEEZE = 0.25, 0.5
# So that logits differ between pictures by about one.
GAIN_CLASSIFIER = {"efficientnet-b0": 4.0, "efficientnet-b4": 4.0, "efficientnet-lite0": 6.0}
# Middle and reach. Most activations are in their nearly linear part, so that rounding is not
# amplified from layer to layer as in a fully random network; both corners of ReLU6 occur.
GAMMA = {"efficientnet-b0": (0.7, 0.3), "efficientnet-b4": (0.7, 0.3), "efficientnet-lite0": (1.5, 0.5)}
BETA = {"efficientnet-b0": (1.0, 0.3), "efficientnet-b4": (1.0, 0.3), "efficientnet-lite0": (3.0, 0.3)}
BIAS = (0.0, 0.3)


def learned(arch, number, shape, module, field):
    """A learned tensor, by its number in the state's order; each value one float32."""
    u = Formula.uniform(Formula.WEIGHT, number, math.prod(shape))
    if len(shape) == 1:
        norm = isinstance(module, torch.nn.BatchNorm2d)
        middle, reach = BIAS if not norm else (GAMMA if field == "weight" else BETA)[arch]
        values = middle + reach * u
    else:
        # Among convolutions only those of squeeze-excite have a bias.
        gain = GAIN_CONVOLUTION if module.bias is None else GAIN_SQUEEZE
        if isinstance(module, torch.nn.Linear):
            gain = GAIN_CLASSIFIER[arch]
        values = u * (math.sqrt(3.0) * gain / math.sqrt(math.prod(shape[1:])))
    return values.astype(np.float32).reshape(shape)


def pictures(first, count, res):
    """Bytes [count, res, res, 3]: a triangular wave in every channel, and noise."""
    side = np.arange(res, dtype=np.int64)
    x, y = side[None, :, None], side[:, None, None]
    index = np.arange(res * res * 3, dtype=np.int64).reshape(res, res, 3)
    made = np.empty((count, res, res, 3), np.uint8)
    for at in range(count):
        number = first + at
        # Of each channel: period, the steps along x and y, phase, middle, reach.
        draws = Formula.hashes(Formula.PICTURE, number, 18).astype(np.int64).reshape(6, 3)
        half = 8 + draws[0] % 40
        along = x * (draws[1] % 5) + y * (draws[2] % 5) + draws[3] % 97
        wave = np.abs(along % (2 * half) - half)
        middle, reach = 60 + draws[4] % 110, 20 + draws[5] % 90
        noise = Formula.hashes(Formula.NOISE, number, res * res * 3).astype(np.int64)[index] % 41 - 20
        made[at] = np.clip(middle + (2 * wave - half) * reach // half + noise, 0, 255)
    return made


def labels(count):
    """Targets and weights [count]: classes in turn, weights 0.5, 0.75, 1, 0.5, …"""
    index = np.arange(count)
    return (index % 2).astype(np.float64), 0.5 + 0.25 * (index % 3)


class Row:
    """A tensor kept as its norm, its product with a direction, and some entries."""

    @staticmethod
    def of(number, values, entries):
        values = np.asarray(values, np.float64).reshape(-1)
        direction = Formula.uniform(Formula.DIRECTION, number, len(values))
        places = Formula.hashes(Formula.PLACE, number, entries) % np.uint32(len(values))
        return np.concatenate([[np.linalg.norm(values), values @ direction], values[places]])

    @staticmethod
    def error(found, expected, length, floor):
        """The largest error, relative to the expected sizes of a tensor of that norm
        (or of the norm `floor`, if the norm is below it)."""
        size = max(expected[0], floor)
        distance = np.abs(found - expected)
        entries = np.maximum(np.abs(expected[2:]), size / math.sqrt(length))
        parts = [distance[:1] / size, distance[1:2] * math.sqrt(3.0) / size, distance[2:] / entries]
        return float(np.concatenate(parts).max())


class Network:
    """A network of torchvision or timm with weights of the formula."""

    def __init__(self, arch, dtype, running=None):
        self.dtype = dtype
        if arch in TORCHVISION:
            self.model = TORCHVISION[arch](num_classes=1, dropout=0.0, stochastic_depth_prob=0.0)
            self.features = list(self.model.features)
            self.mean, self.std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        else:
            self.model = timm.create_model("tf_efficientnet_lite0", num_classes=1)
            head = torch.nn.Sequential(self.model.conv_head, self.model.bn2)
            stem = torch.nn.Sequential(self.model.conv_stem, self.model.bn1)
            self.features = [stem, *self.model.blocks, head]
            self.mean, self.std = [127.0 / 255.0] * 3, [128.0 / 255.0] * 3
        of_kind = lambda kind: [module for module in self.model.modules() if isinstance(module, kind)]
        # The least distance of an activation from a corner of ReLU6.
        self.nearest_bend = math.inf
        for module in of_kind(torch.nn.ReLU6):
            module.register_forward_pre_hook(self.note_bends)
        (self.classifier,) = of_kind(torch.nn.Linear)
        self.norms = of_kind(torch.nn.BatchNorm2d)
        self.fill(arch)
        self.model.to(dtype)
        if running is not None:
            for index in range(len(self.norms)):
                running.fill(self, index)

    def note_bends(self, _, inputs):
        (x,) = inputs
        distance = torch.minimum(x.abs(), (x - 6.0).abs()).min().item()
        self.nearest_bend = min(self.nearest_bend, distance)

    def fill(self, arch):
        """Sets every learned tensor to the formula."""
        modules = dict(self.model.named_modules())
        self.numbers = {name: number for number, name in enumerate(self.model.state_dict())}
        with torch.no_grad():
            for name, tensor in self.model.named_parameters():
                owner, _, field = name.rpartition(".")
                values = learned(arch, self.numbers[name], tensor.shape, modules[owner], field)
                tensor.copy_(torch.from_numpy(values))

    def variance_number(self, norm):
        """The number of a batch-norm's running variance."""
        name = next(name for name, module in self.model.named_modules() if module is norm)
        return self.numbers[f"{name}.running_var"]

    def parameters(self):
        """Names, numbers and learned tensors, in the state's order."""
        learned = dict(self.model.named_parameters())
        return [(name, number, learned[name]) for name, number in self.numbers.items() if name in learned]

    def running(self, field):
        """Names, numbers and running statistics of that field, in the state's order."""
        state = self.model.state_dict()
        return [(name, self.numbers[name], state[name]) for name in state if name.endswith(field)]

    def gradients(self, loss, more=()):
        """Names, numbers and gradients of the learned tensors, then those of `more`."""
        parameters = self.parameters() + [("", -1, tensor) for tensor in more]
        gradients = torch.autograd.grad(loss, [tensor for _, _, tensor in parameters])
        return [(name, number, of) for (name, number, _), of in zip(parameters, gradients)]

    def tensor(self, values):
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.dtype)

    def pixels(self, bytes_):
        """Bytes [N, H, W, 3] -> pixels [N, 3, H, W] in [0, 1]."""
        return self.tensor(bytes_.transpose(0, 3, 1, 2)) / 255.0

    def logits(self, pixels, perturb=None):
        """Logits [N]. `perturb(i, f)` may change the output of `features.i`."""
        # dfrt's constants are float32.
        channels = lambda values: self.tensor(np.array(values, np.float32)).view(1, 3, 1, 1)
        x = (pixels - channels(self.mean)) / channels(self.std)
        for index, part in enumerate(self.features):
            x = part(x)
            if perturb is not None:
                x = perturb(index, x)
        return self.classifier(x.mean((2, 3)))[:, 0]

    def loss(self, logits):
        """The mean of the weighted cross-entropies."""
        targets, weights = map(self.tensor, labels(len(logits)))
        return F.binary_cross_entropy_with_logits(logits, targets, weight=weights)


class Running:
    """Running statistics near what pictures give in evaluation, in a byte a channel:
    means in whole steps, variances 2^k (1 + u / 2) with u by the formula; the step, a
    power of two, and k are the layer's."""

    def __init__(self, network, bytes_):
        """Sets the batch-norms of `network` one after the other, each by what reaches
        it when the ones before are set, so that scales stay bounded."""
        self.mean_steps, self.exponents = [], []

        def choose(norm, inputs):
            (x,) = inputs
            mean, variance = x.mean((0, 2, 3)).numpy(), x.var((0, 2, 3), unbiased=False).numpy()
            of_step = math.ceil(math.log2(np.abs(mean).max() / 127.0))
            self.mean_steps.append(np.round(mean / 2.0**of_step).astype(np.int8))
            self.exponents.append((of_step, round(math.log2(variance.mean()))))
            self.fill(network, network.norms.index(norm))

        hooks = [norm.register_forward_pre_hook(choose) for norm in network.norms]
        network.model.eval()
        with torch.no_grad():
            network.logits(network.pixels(bytes_))
        for hook in hooks:
            hook.remove()

    def fill(self, network, index):
        """Sets the statistics of the batch-norm of that index."""
        norm, (of_step, of_variance) = network.norms[index], self.exponents[index]
        steps = self.mean_steps[index]
        u = Formula.uniform(Formula.WEIGHT, network.variance_number(norm), len(steps))
        mean = (steps * 2.0**of_step).astype(np.float32)
        variance = (2.0**of_variance * (1.0 + 0.5 * u)).astype(np.float32)
        norm.running_mean.copy_(torch.from_numpy(mean))
        norm.running_var.copy_(torch.from_numpy(variance))

    def tensors(self):
        """The statistics as tensors of the file."""
        return {
            "running_mean_steps": np.concatenate(self.mean_steps),
            "running_exponents": np.array(self.exponents, np.int8),
        }


class Measured:
    """Results by name, and how the error of each is measured."""

    # Gradients below this share of the largest tensor's norm are measured by that: a beta
    # that only batch-norms see has a gradient of zero, and rounding gives it some.
    FLOOR = 1e-4

    def __init__(self):
        self.tensors = {}
        self.lengths = {}
        self.names = {}

    def vector(self, name, values):
        self.tensors[name] = np.asarray(values, np.float64)

    def rows(self, name, entries, values, dtype=np.float64):
        """`values`: (name, number, tensor) of each."""
        values = [(title, number, np.asarray(tensor.detach())) for title, number, tensor in values]
        rows = [Row.of(number, tensor, entries) for _, number, tensor in values]
        self.tensors[name] = np.stack(rows).astype(dtype)
        self.lengths[name] = [tensor.size for _, _, tensor in values]
        self.names[name] = [title for title, _, _ in values]

    def delta(self, name, parts):
        """One row of numbers for each tap; kept one after the other."""
        self.tensors[name] = np.concatenate(parts).astype(np.float32)
        self.lengths[name] = [len(part) for part in parts]

    def errors(self, truth):
        """The worst error of every result against the same of `truth`, and where it is."""
        worst = {}
        for name in self.tensors:
            found, expected = (measured.tensors[name].astype(np.float64) for measured in (self, truth))
            if name in self.names:
                errors = self.row_errors(name, found, expected)
            elif name in self.lengths:
                errors = self.whole_errors(name, found, expected)
            else:
                # The error of a loss is relative to the loss.
                size = np.abs(expected) if name.endswith("loss") else np.sqrt(np.mean(expected**2))
                distances = np.abs(found - expected) / size
                errors = [(float(error), name, f"number {at}") for at, error in enumerate(distances)]
            for error, title, where in errors:
                worst[title] = max(worst.get(title, (0.0, where)), (error, where))
        return worst

    def row_errors(self, name, found, expected):
        """(error, result, tensor); small gradients are a separate result."""
        floor = self.FLOOR * expected[:, 0].max() if name == "parameter_gradient" else 0.0
        for where, a, b, length in zip(self.names[name], found, expected, self.lengths[name]):
            yield Row.error(a, b, length, floor), f"small_{name}" if b[0] < floor else name, where

    def whole_errors(self, name, found, expected):
        """(error, result, tap): the norm of the difference, relative to the tap's."""
        ends = np.cumsum(self.lengths[name])[:-1]
        for at, (a, b) in enumerate(zip(np.split(found, ends), np.split(expected, ends))):
            yield float(np.linalg.norm(a - b) / np.linalg.norm(b)), name, f"tap {at} of the list"


class Case:
    """A network, a resolution and a batch."""

    # Pictures from which the running statistics are chosen.
    CALIBRATION = 8
    STEPS = 10
    # Entries kept of gradients and running statistics, and of a picture's gradient.
    ENTRIES, PIXELS = 4, 8

    def __init__(self, name, arch, res, batch, first_picture, rates):
        self.name, self.arch, self.res, self.batch, self.first_picture = name, arch, res, batch, first_picture
        self.optimizers = {
            "sgd": {"learning_rate": rates[0], "momentum": 0.9, "weight_decay": 0.25},
            "adamw": {
                "learning_rate": rates[1],
                "beta1": 0.9,
                "beta2": 0.999,
                "eps": 1e-8,
                "weight_decay": 0.25,
            },
        }

    def about(self):
        keys = ("arch", "res", "batch", "first_picture", "optimizers")
        return {key: getattr(self, key) for key in keys} | {"steps": self.STEPS}

    def running(self):
        network = Network(self.arch, torch.float64)
        return Running(network, pictures(self.first_picture, self.CALIBRATION, self.res))

    def network(self, running, dtype, training):
        """The network and the case's pixels."""
        network = Network(self.arch, dtype, running)
        network.model.train(training)
        return network, network.pixels(pictures(self.first_picture, self.batch, self.res))

    def goldens(self):
        """The file's tensors, and PyTorch's own errors in float32."""
        running = self.running()
        truth, short = (self.measure(running, dtype) for dtype in (torch.float64, torch.float32))
        return truth.tensors | running.tensors(), short.errors(truth)

    def measure(self, running, dtype):
        measured = Measured()
        self.evaluate(running, dtype, measured)
        self.train_once(running, dtype, measured)
        for optimizer in self.optimizers:
            self.train(running, dtype, optimizer, measured)
        return measured

    def evaluate(self, running, dtype, measured):
        """Logits, and the pixels' gradient of every picture's own loss."""
        network, pixels = self.network(running, dtype, False)
        pixels.requires_grad_()
        logits = network.logits(pixels)
        targets = network.tensor(labels(self.batch)[0])
        losses = {
            "margin": (-(2.0 * targets - 1.0) * logits).sum(),
            "cross_entropy": F.binary_cross_entropy_with_logits(logits, targets, reduction="sum"),
        }
        measured.vector("evaluation_logits", logits.detach())
        for name, loss in losses.items():
            (gradient,) = torch.autograd.grad(loss, pixels, retain_graph=True)
            values = [(f"picture {at}", at, of) for at, of in enumerate(gradient)]
            measured.rows(f"{name}_pixel_gradient", self.PIXELS, values)

    def train_once(self, running, dtype, measured):
        """Logits, loss, gradients and running statistics of one training pass."""
        network, pixels = self.network(running, dtype, True)
        logits = network.logits(pixels)
        loss = network.loss(logits)
        measured.vector("training_logits", logits.detach())
        measured.vector("training_loss", [loss.item()])
        measured.rows("parameter_gradient", self.ENTRIES, network.gradients(loss))
        for field in ("running_mean", "running_var"):
            measured.rows(field, self.ENTRIES, network.running(field))

    def train(self, running, dtype, optimizer, measured):
        """Losses of steps over the same pictures, and how far the weights that decay
        have moved (the others' steps are near float32's resolution)."""
        network, pixels = self.network(running, dtype, True)
        settings = self.optimizers[optimizer]
        parameters = network.parameters()
        decays = [(name, number, tensor) for name, number, tensor in parameters if tensor.ndim > 1]
        before = [tensor.detach().clone() for _, _, tensor in decays]
        groups = [
            {"params": [tensor for _, _, tensor in decays], "weight_decay": settings["weight_decay"]},
            {"params": [tensor for _, _, tensor in parameters if tensor.ndim == 1], "weight_decay": 0.0},
        ]
        if optimizer == "sgd":
            steps = torch.optim.SGD(groups, lr=settings["learning_rate"], momentum=settings["momentum"])
        else:
            betas = (settings["beta1"], settings["beta2"])
            steps = torch.optim.AdamW(groups, lr=settings["learning_rate"], betas=betas, eps=settings["eps"])
        losses = []
        for _ in range(self.STEPS):
            loss = network.loss(network.logits(pixels))
            steps.zero_grad()
            loss.backward()
            steps.step()
            losses.append(loss.item())
        measured.vector(f"{optimizer}_loss", losses)
        moved = [(name, number, after - start) for (name, number, after), start in zip(decays, before)]
        measured.rows(f"{optimizer}_movement", 0, moved)


class Regularized:
    """Gradient regularization (Guan, Wang, Dong & Peng, IEEE TIFS 2024) on a case's
    network and batch, by autograd alone: dmu and dsigma are leaves of zeros.

    f' = f + dmu + dsigma * fhat at each tap, fhat = (f - mu) / sigma over each picture's
    channel, sigma from the biased variance with 1e-5 under the root. Pass 1 gives the
    leaves' gradient, r times its direction is pass 2's constant perturbation, and
    g = (1 - alpha) g1 + alpha g2. Pass 1 alone moves the running statistics."""

    ENTRIES = 2

    def __init__(self, name, case, runs):
        self.name, self.case, self.runs = name, case, runs

    def about(self):
        return {"case": self.case.name, "runs": self.runs}

    def goldens(self):
        running = self.case.running()
        tensors, errors = {}, {}
        for index, run in enumerate(self.runs):
            truth, short = (self.measure(running, dtype, run) for dtype in (torch.float64, torch.float32))
            for name in truth.tensors:
                tensors[f"{index}/{name}"] = truth.tensors[name]
            for name, error in short.errors(truth).items():
                errors[f"{index}/{name}"] = error
        return tensors, errors

    def measure(self, running, dtype, run):
        network, pixels = self.case.network(running, dtype, True)
        of = Perturbation(run, self.case.batch)
        loss = network.loss(network.logits(pixels, of.first_pass))
        leaves = [leaf for tap in run["taps"] for leaf in of.deltas[tap]]
        g1 = network.gradients(loss, leaves)
        norms = of.scale(g1[len(network.parameters()) :])
        for norm in network.norms:
            norm.momentum = 0.0
        perturbed = network.loss(network.logits(pixels, of.apply))
        g2 = network.gradients(perturbed)
        mixed = [
            (name, number, (1.0 - run["alpha"]) * first + run["alpha"] * second)
            for (name, number, first), (_, _, second) in zip(g1, g2)
        ]
        measured = Measured()
        measured.nearest_bend = network.nearest_bend
        measured.vector("passes_loss", [loss.item(), perturbed.item()])
        measured.vector("norm", norms)
        measured.delta("delta", [of.flat(tap) for tap in run["taps"]])
        measured.rows("parameter_gradient", self.ENTRIES, mixed, np.float32)
        for field in ("running_mean", "running_var"):
            measured.rows(field, self.ENTRIES, network.running(field), np.float32)
        return measured


class Perturbation:
    """dmu and dsigma of the taps, [D, C, 1, 1]: D = 1 shared over the batch, or N."""

    EPS = 1e-5

    def __init__(self, run, batch):
        self.run, self.count = run, batch if run["per_image"] else 1
        self.deltas = {}

    def first_pass(self, index, f):
        if index in self.run["taps"]:
            zeros = lambda: torch.zeros(self.count, f.shape[1], 1, 1, dtype=f.dtype, requires_grad=True)
            self.deltas[index] = (zeros(), zeros())
        return self.apply(index, f)

    def apply(self, index, f):
        if index not in self.deltas:
            return f
        mu = f.mean((2, 3), keepdim=True)
        sigma = (f.var((2, 3), unbiased=False, keepdim=True) + self.EPS).sqrt()
        if not self.run["through_statistics"]:
            mu, sigma = mu.detach(), sigma.detach()
        dmu, dsigma = self.deltas[index]
        return f + dmu + dsigma * ((f - mu) / sigma)

    def scale(self, gradients):
        """Replaces the leaves by r * gradient / norm; returns the norms, [taps or 1, D]."""
        gradients = iter([gradient for _, _, gradient in gradients])
        pairs = {tap: (next(gradients), next(gradients)) for tap in self.run["taps"]}
        squares = torch.stack([sum(part.square().sum((1, 2, 3)) for part in pair) for pair in pairs.values()])
        norms = (squares if self.run["per_tap"] else squares.sum(0, keepdim=True)).sqrt()
        rows = norms.expand(len(pairs), -1)[:, :, None, None, None]
        for (tap, pair), norm in zip(pairs.items(), rows):
            self.deltas[tap] = tuple(self.run["r"] * part / norm for part in pair)
        return norms.reshape(-1)

    def flat(self, tap):
        """[D, 2, C] in a row."""
        return torch.stack([part[:, :, 0, 0] for part in self.deltas[tap]], 1).reshape(-1).numpy()


class Arms:
    """One training step of every arm on a case's network and batch: see `Arm`."""

    # Of the learned tensors and running statistics, and of an adversarial picture.
    ENTRIES, PIXELS = 2, 8

    # A sign of the adversary is this far from the other one: its gradient, over the root of
    # the mean square of its picture's.
    SIGN_DISTANCE = 3e-5

    # Runs without what makes them different are the baseline, up to the rounding of sums.
    REDUCTION = 1e-12

    def __init__(self, name, case, runs):
        self.name, self.case, self.runs = name, case, runs

    def about(self):
        return {"case": self.case.name, "runs": self.runs}

    def arm(self, running, dtype, starts=0):
        """`starts` is the number of the keys of the random starts."""
        network, pixels = self.case.network(running, dtype, True)
        targets, weights = map(network.tensor, labels(self.case.batch))
        drawn = lambda number, count: Formula.uniform(Formula.DRAW, number, count)
        keys = Formula.hashes(Formula.KEY, starts, 2 * self.case.batch).reshape(-1, 2)
        regularizer = lambda run: Perturbation(run, self.case.batch)
        return Arm(network, pixels, targets, weights, drawn, keys, regularizer)

    def goldens(self):
        running = self.case.running()
        self.assert_reductions(running)
        tensors, errors = {}, {}
        for index, run in enumerate(self.runs):
            truth, short = (self.measure(running, dtype, run) for dtype in (torch.float64, torch.float32))
            if truth.nearest_sign < self.SIGN_DISTANCE:
                raise SystemExit(f"run {index}: a sign is {truth.nearest_sign:.1e} from the other; see --find-starts")
            for name in truth.tensors:
                tensors[f"{index}/{name}"] = truth.tensors[name]
            for name, error in short.errors(truth).items():
                errors[f"{index}/{name}"] = error
        return tensors, errors

    def measure(self, running, dtype, run):
        arm = self.arm(running, dtype, run.get("starts", 0))
        losses, gradient = arm.step(run)
        measured = Measured()
        measured.nearest_sign = arm.nearest_sign
        measured.vector("loss", [loss.item() for loss in losses])
        measured.rows("parameter_gradient", self.ENTRIES, gradient)
        for field in ("running_mean", "running_var"):
            measured.rows(field, self.ENTRIES, arm.network.running(field))
        if arm.adversarial is not None:
            values = [(f"picture {at}", at, of) for at, of in enumerate(arm.adversarial)]
            measured.rows("adversarial", self.PIXELS, values)
        return measured

    def assert_reductions(self, running):
        """With eps, r, rho, lambda, beta or the draws 0 every arm is the baseline."""
        plain = self.measure(running, torch.float64, {"arm": "baseline"})
        for run in self.runs:
            for what, zero in self.reduced(run):
                found = self.measure(running, torch.float64, zero)
                pairs = [(found.tensors["loss"][:1], plain.tensors["loss"])]
                pairs += [(found.tensors[name], plain.tensors[name]) for name in plain.tensors if name != "loss"]
                worst = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)
                line = f"{run['arm']} with {what} = 0 is the baseline to {worst:.1e}"
                if worst > self.REDUCTION:
                    raise SystemExit(f"{line}, {self.REDUCTION:.0e} is allowed")
                print(line)

    @staticmethod
    def reduced(run):
        """What makes the run different from the baseline, and the run without it."""
        noise = {"dsu": ["scale"], "mixstyle": ["scale"]}
        ends = {"at": ["eps"], "trades": ["eps", "beta"], "input-gr": ["lambda"], **noise}
        for end in ends.get(run["arm"], ["radius"]):
            if run.get("gr") is None:
                yield end, run | {end: 0.0}
            else:
                yield f"{end} and r", run | {end: 0.0, "gr": run["gr"] | {"r": 0.0}}


def arms():
    """The runs of every arm."""
    gr = regularized([0, 1, 2], 0.1, 1.0, True, False)
    noise = {"taps": [0, 1, 2]}
    adversarial = lambda arm, eps, steps, starts, gr=None, **more: {
        "arm": arm,
        "eps": eps,
        "steps": steps,
        "step": min(2.5 / steps, 1.25),
        "starts": starts,
        "gr": gr,
        **more,
    }
    return [
        {"arm": "sam", "radius": 0.05},
        {"arm": "sam", "radius": 0.5},
        {"arm": "gnp", "radius": 0.05, "alpha": 0.8},
        {"arm": "input-gr", "lambda": 0.1, "h": 0.01},
        {"arm": "input-gr", "lambda": 20.0, "h": 0.05},
        {"arm": "dsu", "scale": 2.0, **noise},
        {"arm": "mixstyle", "scale": 1.0, **noise},
        adversarial("at", 1.0, 1, 0),
        adversarial("at", 2.0, 3, 38),
        adversarial("trades", 1.0, 2, 0, beta=6.0),
        adversarial("at", 1.0, 2, 16, gr),
        adversarial("trades", 1.0, 2, 0, gr, beta=6.0),
    ]


def grid():
    """Every combination of radius, alpha, flow and sharing, over the three taps."""
    return [
        regularized([0, 1, 2], r, alpha, through, per_image)
        for per_image in (False, True)
        for through in (True, False)
        for alpha in (1.0, 0.5)
        for r in (0.05, 0.1)
    ]


def regularized(taps, r, alpha, through_statistics, per_image, per_tap=False):
    return {
        "taps": taps,
        "r": r,
        "alpha": alpha,
        "through_statistics": through_statistics,
        "per_image": per_image,
        "per_tap": per_tap,
    }


def files():
    """The contents of all files, by name."""
    # Of Lite0 those pictures that keep every activation of the training pass and of
    # the perturbed ones away from the corners of ReLU6, by more than its rounding:
    # the derivative is different on the other side. `--find-pictures` finds them.
    b0_64 = Case("b0_64", "efficientnet-b0", 64, 4, 0, (2.0**-16, 2.0**-18))
    b0_224 = Case("b0_224", "efficientnet-b0", 224, 2, 0, (2.0**-16, 2.0**-18))
    b4_64 = Case("b4_64", "efficientnet-b4", 64, 4, 0, (2.0**-16, 2.0**-18))
    lite0_96 = Case("lite0_96", "efficientnet-lite0", 96, 2, LITE0_PICTURES, (2.0**-16, 2.0**-19))
    others = [
        *(regularized([tap], 0.1, 1.0, True, False) for tap in (0, 1, 2)),
        regularized([1, 3], 0.1, 0.5, True, True),
        regularized([0, 1, 2], 0.1, 1.0, True, False, per_tap=True),
        regularized([0, 1, 2], 0.1, 1.0, False, True, per_tap=True),
    ]
    lite = [regularized([0, 1, 2], 0.1, 1.0, True, False), regularized([0, 1, 2], 0.1, 0.5, False, True)]
    made = [
        b0_64,
        b0_224,
        b4_64,
        lite0_96,
        Regularized("b0_64_regularized", b0_64, grid()),
        Regularized("b0_64_regularized_others", b0_64, others),
        Regularized("lite0_96_regularized", lite0_96, lite),
        Arms("b0_64_arms", b0_64, arms()),
    ]
    return {file.name: file for file in made}


def metadata(file, errors):
    """One entry, because the order of several is not defined."""
    versions = {module.__name__: module.__version__ for module in (torch, torchvision, timm, np)}
    entry = {
        "about": file.about(),
        "command": f"python tools/reference.py --only {file.name}",
        "versions": versions,
        "float32_errors": errors,
    }
    return {"golden": json.dumps(entry)}


def write(file):
    tensors, errors = file.goldens()
    path = FOLDER / f"{file.name}.safetensors"
    data = safetensors.numpy.save(tensors, metadata=metadata(file, errors))
    beside = path.with_suffix(".part")
    beside.write_bytes(data)
    beside.replace(path)
    print(f"{path.name}: {len(data)} bytes")
    for name, (error, where) in errors.items():
        print(f"  {name}: float32 is off by {error:.1e} ({where})")


def check(file):
    """Whether the file equals the current results; prints what differs."""
    path = FOLDER / f"{file.name}.safetensors"
    with safetensors.safe_open(path, "numpy") as opened:
        kept = {name: opened.get_tensor(name) for name in opened.keys()}
        about = json.loads(opened.metadata()["golden"])["about"]
    made, _ = file.goldens()
    faults = [] if about == json.loads(json.dumps(file.about())) else ["its metadata say another case"]
    faults += [f"`{name}` is in only one of them" for name in sorted(kept.keys() ^ made.keys())]
    for name in sorted(kept.keys() & made.keys()):
        faults += differences(name, kept[name], made[name])
    for fault in faults:
        print(f"{path.name}: {fault}; make it again or undo the change of the results")
    if not faults:
        print(f"{path.name}: {len(kept)} tensors are up to date")
    return not faults


def differences(name, kept, made):
    """One line where a tensor differs. The unit is the largest number of a row, or a
    millionth of the largest of all where the row is smaller."""
    if kept.dtype != made.dtype or kept.shape != made.shape:
        return [f"`{name}` is {kept.dtype} {kept.shape}, now {made.dtype} {made.shape}"]
    size = np.abs(made.astype(np.float64))
    unit = np.maximum(size.max(-1, keepdims=True), 1e-6 * size.max())
    distance = np.abs(kept.astype(np.float64) - made)
    worst = float((distance / np.maximum(unit, 1e-300)).max())
    if worst > TOLERANCE[kept.dtype]:
        return [f"`{name}` differs by {worst:.1e}, {TOLERANCE[kept.dtype]:.0e} is allowed"]
    return []


def find_pictures(case, regularized):
    """Tries first pictures until no activation is close to a corner of ReLU6 in any pass."""
    running = case.running()
    best = 0.0
    for case.first_picture in range(0, 100_000, case.batch):
        nearest = math.inf
        for run in regularized.runs:
            nearest = min(nearest, regularized.measure(running, torch.float64, run).nearest_bend)
            if nearest <= best:
                break
        if nearest > best:
            best = nearest
            print(f"from picture {case.first_picture}: {nearest:.1e} from the nearest corner of ReLU6", flush=True)
        if best >= BEND_DISTANCE:
            return


def find_starts(file):
    """Tries keys of the random starts until no sign of the adversary is near the other one."""
    running = file.case.running()
    for index, run in enumerate(file.runs):
        if "starts" not in run:
            continue
        best = 0.0
        for starts in range(1000):
            arm = file.arm(running, torch.float64, starts)
            arm.adversary(run)
            if arm.nearest_sign > best:
                best = arm.nearest_sign
                print(f"run {index}, starts {starts}: {best:.1e} from the other sign", flush=True)
            if best >= file.SIGN_DISTANCE:
                break


def print_deltas(file, channels):
    """The norm of dmu and of dsigma at each tap, over the batch, with r = 0.1, alpha = 1
    and the flow through the statistics: shared over the batch, and per image.
    `channels` are the taps', in their order."""
    path = FOLDER / f"{file.name}.safetensors"
    with safetensors.safe_open(path, "numpy") as opened:
        for per_image in (False, True):
            place = file.runs.index(regularized([0, 1, 2], 0.1, 1.0, True, per_image))
            delta = opened.get_tensor(f"{place}/delta").astype(np.float64)
            count = len(delta) // (2 * sum(channels))
            print("per image" if per_image else "shared")
            for tap, part in enumerate(np.split(delta, 2 * count * np.cumsum(channels)[:-1])):
                dmu, dsigma = np.sqrt(np.square(part.reshape(count, 2, -1)).sum((0, 2)))
                print(f"  tap {tap}: dmu {dmu:.2g}, dsigma {dsigma:.3g}")


def check_onnx(folder, cases):
    """Whether onnxruntime gives the logits of the goldens for the files that the tests wrote."""
    import onnx
    import onnxruntime

    fine = True
    for case in cases:
        with safetensors.safe_open(FOLDER / f"{case.name}.safetensors", "numpy") as opened:
            expected = opened.get_tensor("evaluation_logits").reshape(-1)
        bytes_ = pictures(case.first_picture, case.batch, case.res)
        pixels = (bytes_.astype(np.float32) / np.float32(255)).transpose(0, 3, 1, 2)
        for path in [folder / f"{case.name}.{batch}.onnx" for batch in ("any", "fixed")]:
            onnx.checker.check_model(onnx.load(path), full_check=True)
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            found = session.run(["logit"], {"pixels": np.ascontiguousarray(pixels)})[0][:, 0]
            worst = float(np.abs(found - expected).max())
            fine &= worst <= ONNX_TOLERANCE
            print(f"{path.name}: valid; onnxruntime within {worst:.1e} of logits {expected.round(3).tolist()}")
    return fine


def main():
    # One thread, so that sums have the same order on every machine; the networks are small.
    torch.set_num_threads(1)
    known = files()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    parser.add_argument("--only", choices=known, metavar="NAME", help=f"one of {', '.join(known)}")
    parser.add_argument("--onnx", type=Path, metavar="FOLDER", help="check the tests' exports by onnxruntime")
    parser.add_argument("--deltas", action="store_true", help="print how long B0's perturbations are at each tap")
    parser.add_argument("--find-pictures", action="store_true", help="find pictures for Lite0")
    parser.add_argument("--find-starts", action="store_true", help="find random starts for the adversarial arms")
    arguments = parser.parse_args()
    if arguments.find_pictures:
        find_pictures(known["lite0_96"], known["lite0_96_regularized"])
        return 0
    if arguments.find_starts:
        find_starts(known["b0_64_arms"])
        return 0
    if arguments.deltas:
        print_deltas(known["b0_64_regularized"], [32, 16, 24])
        return 0
    if arguments.onnx:
        cases = [file for file in known.values() if isinstance(file, Case)]
        return 0 if check_onnx(arguments.onnx, cases) else 1
    chosen = [known[arguments.only]] if arguments.only else list(known.values())
    if not arguments.check:
        for file in chosen:
            write(file)
        return 0
    return 0 if all([check(file) for file in chosen]) else 1


if __name__ == "__main__":
    sys.exit(main())
