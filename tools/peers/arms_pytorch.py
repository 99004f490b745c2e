#!/usr/bin/env python3
"""Times training steps of dfrt's arms in PyTorch eager, on CUDA, MPS or the CPU:

    python tools/peers/arms_pytorch.py --method gr --res 224 --batch 32 --precision tf32

prints one line of JSON. With --serve it reads such settings as lines of JSON on standard input and
answers each with a line: `tools/on-gpu` asks it between dfrt's own measurements. Methods: baseline,
gr, fast-at, at; settings that do not change the work are ignored (`fast-at:eps=1`, `at:steps=2`).

A step does dfrt's work (trainer/src/bench/subject.rs): 8-bit pictures go to the device and are
normalised there, the network with one logit has its dropout and stochastic depth, the gradient is that
of the mean binary cross-entropy, AdamW moves the weights.

- gr: a first pass for the gradient with respect to means and deviations of features.0 to features.2,
  without gradients of weights; a second pass on the perturbed features, from features.0 on
  (trainer/src/arms/gradient_regularization.rs). The second pass draws its own dropout masks.
- fast-at, at: one, or `steps`, gradients with respect to the pixels, on running statistics, from a
  random start (trainer/src/arms/adversary.rs); then the step on the adversarial pictures.

A step ends when the device is done with it. On a GPU both memory layouts are tried for the plain step
and the faster is used; the answer names it. fp32 means TF32 off, tf32 on (CUDA alone).

Needs: torch and torchvision (2.15.0 and 0.29.2 were used).
"""

import argparse
import json
import math
import statistics
import sys
import time

try:
    import torch
    import torchvision
    from torchvision.models.efficientnet import EfficientNet, MBConvConfig
except ImportError as error:
    # On standard output, where who asked for --serve reads it.
    print(json.dumps({"missing": str(error)}))
    raise SystemExit(f"error: {error}; pip install torch torchvision") from None

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LEARNING_RATE, WEIGHT_DECAY = 1e-5, 1e-2
LAYOUTS = {"channels-last": torch.channels_last, "channels-first": torch.contiguous_format}
# gr: its taps, the length of the perturbation, and what is added to a variance.
TAPS, RADIUS, EPS = (0, 1, 2), 0.1, 1e-5
# Radius of adversarial pictures.
REACH = 1.0 / 255.0
WARMUP, QUEUED, TRIED = 3, 16, 4
B0_PARAMETERS = 4_008_829
MB = 1 << 20


def device():
    """The device that is timed."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def wait(where):
    """Until the device is done."""
    if where.type == "cuda":
        torch.cuda.synchronize()
    elif where.type == "mps":
        torch.mps.synchronize()


def about():
    """The device, versions and precisions, as JSON."""
    where = device()
    cuda = where.type == "cuda"
    return {
        "device": torch.cuda.get_device_name() if cuda else where.type,
        "type": where.type,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "cuda": torch.version.cuda if cuda else None,
        "cudnn": torch.backends.cudnn.version() if cuda else None,
        "precisions": ["fp32", "tf32"] if cuda else ["fp32"],
        "threads": torch.get_num_threads(),
    }


def network(arch):
    """torchvision's EfficientNet-B0 with one logit, or its EfficientNet with dfrt's tiny table."""
    if arch == "efficientnet-b0":
        net = torchvision.models.efficientnet_b0(num_classes=1)
        found = sum(parameter.numel() for parameter in net.parameters())
        if found != B0_PARAMETERS:
            raise ValueError(f"{found} parameters, EfficientNet-B0 has {B0_PARAMETERS}; take another torchvision")
        return net
    if arch != "efficientnet-tiny":
        raise ValueError(f"architecture {arch} is none of efficientnet-b0, efficientnet-tiny")
    # Expansion, kernel, stride, channels in and out, blocks (trainer/src/model/arch.rs).
    rows = [(1, 3, 1, 16, 16, 1), (4, 3, 2, 16, 24, 1), (4, 5, 2, 24, 40, 1), (4, 3, 2, 40, 64, 2)]
    blocks = [MBConvConfig(*row) for row in rows]
    return EfficientNet(blocks, dropout=0.1, stochastic_depth_prob=0.1, num_classes=1, last_channel=192)


class Subject:
    """A network, its optimizer and a batch of noise on a device."""

    def __init__(self, arch, res, batch, layout):
        torch.manual_seed(0)
        self.where, self.layout = device(), LAYOUTS[layout]
        self.net = network(arch).train().to(self.where, memory_format=self.layout)
        self.norms = [part for part in self.net.modules() if isinstance(part, torch.nn.BatchNorm2d)]
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        self.criterion = torch.nn.BCEWithLogitsLoss()
        self.bytes = torch.randint(0, 256, (batch, res, res, 3), dtype=torch.uint8)
        if self.where.type == "cuda":
            self.bytes = self.bytes.pin_memory()
        self.labels = (torch.arange(batch) % 2).float().to(self.where)
        channels = lambda values: torch.tensor(values, device=self.where).view(1, 3, 1, 1)
        self.mean, self.std = channels(MEAN), channels(STD)

    def pixels(self):
        """The batch on the device, in [0, 1]."""
        moved = self.bytes.to(self.where, non_blocking=True).permute(0, 3, 1, 2)
        return (moved.float() / 255.0).contiguous(memory_format=self.layout)

    def normalised(self, pixels):
        return (pixels - self.mean) / self.std

    def head(self, features):
        """Logits [N] of the last features."""
        return self.net.classifier(self.net.avgpool(features).flatten(1))[:, 0]

    def logits(self, pixels):
        return self.head(self.net.features(self.normalised(pixels)))

    def update(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def baseline(self):
        return self.update(self.criterion(self.logits(self.pixels()), self.labels))

    def gr(self):
        parts = list(self.net.features)
        first = features = parts[0](self.normalised(self.pixels()))
        taps = {0: first}
        for index, part in enumerate(parts[1:], 1):
            features = part(features)
            if index in TAPS:
                taps[index] = features
        loss = self.criterion(self.head(features), self.labels)
        # Without gradients of weights; what features.0 needs backward is kept.
        gradients = torch.autograd.grad(loss, list(taps.values()))
        deltas = perturbations(taps, gradients)
        for norm in self.norms:
            norm.momentum = 0.0
        features = perturbed(first, deltas[0])
        for index, part in enumerate(parts[1:], 1):
            features = part(features)
            if index in TAPS:
                features = perturbed(features, deltas[index])
        for norm in self.norms:
            norm.momentum = 0.1
        return self.update(self.criterion(self.head(features), self.labels))

    def at(self, steps):
        clean = self.pixels()
        signs = 1.0 - 2.0 * self.labels
        length = REACH * min(2.5 / steps, 1.25)
        self.net.eval()
        pixels = clean + torch.empty_like(clean).uniform_(-REACH, REACH)
        for _ in range(steps):
            pixels = pixels.clamp(0.0, 1.0).requires_grad_()
            (gradient,) = torch.autograd.grad((signs * self.logits(pixels)).sum(), pixels)
            pixels = pixels.detach() + length * gradient.sign()
            pixels = torch.minimum(torch.maximum(pixels, clean - REACH), clean + REACH)
        self.net.train()
        return self.update(self.criterion(self.logits(pixels.clamp(0.0, 1.0)), self.labels))

    def step(self, method):
        """The step of that method, a function without arguments that returns the loss."""
        name, *settings = method.split(":")
        settings = dict(setting.split("=", 1) for setting in settings)
        if name in ("baseline", "gr"):
            return getattr(self, name)
        if name not in ("fast-at", "at"):
            raise ValueError(f"method {name} is none of baseline, gr, fast-at, at")
        steps = int(settings.get("steps", 1 if name == "fast-at" else 7))
        return lambda: self.at(steps)


def statistics_of(features):
    """Means and deviations over each picture's channel, [N, C, 1, 1]."""
    mean = features.mean((2, 3), keepdim=True)
    return mean, (features.var((2, 3), unbiased=False, keepdim=True) + EPS).sqrt()


@torch.no_grad()
def perturbations(taps, gradients):
    """RADIUS times the direction of the loss's gradient with respect to means and deviations, of all
    taps together, shared by the batch: two of [1, C, 1, 1] a tap."""
    pairs = {}
    for (index, features), gradient in zip(taps.items(), gradients):
        mean, deviation = statistics_of(features)
        of_deviation = gradient * ((features - mean) / deviation)
        pairs[index] = tuple(part.sum((0, 2, 3)).view(1, -1, 1, 1) for part in (gradient, of_deviation))
    norm = sum(part.square().sum() for pair in pairs.values() for part in pair).sqrt()
    return {index: tuple(RADIUS * part / norm for part in pair) for index, pair in pairs.items()}


def perturbed(features, delta):
    """The features with means and deviations moved; the gradient flows through both."""
    mean, deviation = statistics_of(features)
    return features + delta[0] + delta[1] * ((features - mean) / deviation)


def timed(step, where):
    """Seconds of one step to its end."""
    wait(where)
    start = time.perf_counter()
    step()
    wait(where)
    return time.perf_counter() - start


class Bench:
    """Answers requests; keeps the faster layout of each architecture, batch and precision."""

    def __init__(self):
        self.where = device()
        self.layouts = {}
        torch.backends.cudnn.benchmark = True

    def precise(self, precision):
        if precision not in about()["precisions"]:
            raise ValueError(f"precision {precision} is not to be had on {self.where.type}")
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"

    def layout(self, arch, res, batch, precision):
        if self.where.type == "cpu":
            return "channels-last"
        key = (arch, res, batch, precision)
        if key not in self.layouts:
            seconds = {}
            for layout in LAYOUTS:
                subject = Subject(arch, res, batch, layout)
                times = [timed(subject.baseline, self.where) for _ in range(WARMUP + TRIED)]
                seconds[layout] = statistics.median(times[WARMUP:])
                del subject
                self.clear()
            self.layouts[key] = min(seconds, key=seconds.get)
        return self.layouts[key]

    def clear(self):
        if self.where.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        elif self.where.type == "mps":
            torch.mps.empty_cache()

    def memory(self):
        """MB of 2^20 bytes at most: of tensors, and held by PyTorch's allocator. None where PyTorch
        does not count."""
        if self.where.type == "cuda":
            return torch.cuda.max_memory_allocated() / MB, torch.cuda.max_memory_reserved() / MB
        if self.where.type == "mps":
            return None, torch.mps.driver_allocated_memory() / MB
        return None, None

    def measure(self, method, arch, res, batch, precision, steps):
        self.precise(precision)
        layout = self.layout(arch, res, batch, precision)
        self.clear()
        subject = Subject(arch, res, batch, layout)
        step = subject.step(method)
        start = time.perf_counter()
        step()
        wait(self.where)
        first = time.perf_counter() - start
        for _ in range(WARMUP - 1):
            step()
        milliseconds = [1e3 * timed(step, self.where) for _ in range(steps)]
        queued = min(steps, QUEUED)
        start = time.perf_counter()
        for _ in range(queued):
            loss = step()
        wait(self.where)
        queued_s = (time.perf_counter() - start) / queued
        if not math.isfinite(loss.item()):
            raise ValueError(f"the loss is {loss.item()}")
        tenths = statistics.quantiles(milliseconds, n=10, method="inclusive")
        median = statistics.median(milliseconds)
        allocated, reserved = self.memory()
        del subject, step, loss
        self.clear()
        return {
            "method": method,
            "arch": arch,
            "res": res,
            "batch": batch,
            "precision": precision,
            "layout": layout,
            "step_ms": {"median": median, "p10": tenths[0], "p90": tenths[-1]},
            "steps": steps,
            "images_per_second": 1e3 * batch / median,
            "queued_images_per_second": batch / queued_s,
            "first_step_s": first,
            "peak_allocated_mb": allocated,
            "peak_reserved_mb": reserved,
        }

    def answer(self, line):
        """The answer to a line, with `error` where it failed."""
        try:
            return self.measure(**json.loads(line))
        except (RuntimeError, ValueError, TypeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        # Outside of the handler, whose traceback holds on to the tensors.
        self.clear()
        return {"error": reason}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true", help="answer lines of JSON on standard input")
    parser.add_argument("--method", default="baseline")
    parser.add_argument("--arch", default="efficientnet-b0", help="or efficientnet-tiny")
    parser.add_argument("--res", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", choices=["fp32", "tf32"], default="fp32")
    parser.add_argument("--steps", type=int, default=20, help="timed steps, at least 2")
    options = vars(parser.parse_args())
    bench = Bench()
    if options.pop("serve"):
        print(json.dumps(about()), flush=True)
        for line in sys.stdin:
            print(json.dumps(bench.answer(line)), flush=True)
        return
    if options["steps"] < 2:
        parser.error("--steps is less than 2")
    result = bench.answer(json.dumps(options))
    if "error" in result:
        raise SystemExit(f"error: {result['error']}")
    print(json.dumps(about() | result))


if __name__ == "__main__":
    main()
