#!/usr/bin/env python3
"""Times training steps of EfficientNet-B0 in PyTorch on the CPU and prints one line of JSON:

    python tools/peers/training_pytorch.py --res 64 --batch 8 --steps 30 --warmup 5

torchvision's efficientnet_b0 with one logit, f32, AdamW, binary cross-entropy, noise as
pictures, the same in every step; no dropout and no drop-path. One thread per core. A step
ends when its loss is read. Memory is channels-last, which was measured to be faster than
--layout channels-first.

Needs: pip install torch==2.15.0 torchvision==0.29.2
"""

import argparse
import json
import math
import os
import statistics
import time

import torch
import torchvision

LEARNING_RATE, WEIGHT_DECAY = 1e-3, 1e-2
PARAMETERS = 4_008_829
LAYOUTS = {"channels-last": torch.channels_last, "channels-first": torch.contiguous_format}


def cores():
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def training(res, batch, layout):
    """A function that runs a step and returns its loss."""
    torch.manual_seed(0)
    net = torchvision.models.efficientnet_b0(num_classes=1, dropout=0.0, stochastic_depth_prob=0.0)
    found = sum(parameter.numel() for parameter in net.parameters())
    if found != PARAMETERS:
        raise SystemExit(f"error: {found} parameters, EfficientNet-B0 has {PARAMETERS}; take another torchvision")
    net = net.train().to(memory_format=LAYOUTS[layout])
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    criterion = torch.nn.BCEWithLogitsLoss()
    deviations = math.sqrt(12) * (torch.rand(batch, 3, res, res) - 0.5)
    pictures = deviations.contiguous(memory_format=LAYOUTS[layout])
    labels = (torch.arange(batch) % 2).float()

    def step():
        optimizer.zero_grad()
        loss = criterion(net(pictures)[:, 0], labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def timed(step):
    """Seconds of a step and its loss."""
    start = time.perf_counter()
    loss = step()
    seconds = time.perf_counter() - start
    if not math.isfinite(loss):
        raise SystemExit(f"error: the loss is {loss}")
    return seconds, loss


def report(options):
    """The JSON object to print."""
    threads = options.threads or cores()
    torch.set_num_threads(threads)
    step = training(options.res, options.batch, options.layout)
    warmup, measured = ([timed(step) for _ in range(count)] for count in (options.warmup, options.steps))
    milliseconds = [1e3 * seconds for seconds, _ in measured]
    tenths = statistics.quantiles(milliseconds, n=10, method="inclusive")
    median = statistics.median(milliseconds)
    return {
        "backend": "pytorch",
        "version": torch.__version__,
        "device": "CPU",
        "threads": threads,
        "layout": options.layout,
        "res": options.res,
        "batch": options.batch,
        "parameters": PARAMETERS,
        "first_step_s": warmup[0][0],
        "warmup_s": sum(seconds for seconds, _ in warmup),
        "steps": options.steps,
        "step_ms": {"median": median, "p10": tenths[0], "p90": tenths[-1]},
        "images_per_second": 1e3 * options.batch / median,
        "first_loss": warmup[0][1],
        "last_loss": measured[-1][1],
    }


def at_least(least):
    """A parser of whole numbers of at least `least`."""

    def parse(text):
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return parse


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--res", type=at_least(32), default=64)
    parser.add_argument("--batch", type=at_least(2), default=8)
    parser.add_argument("--steps", type=at_least(2), default=30)
    parser.add_argument("--warmup", type=at_least(1), default=5)
    parser.add_argument("--threads", type=at_least(1), help="default: one per core")
    parser.add_argument("--layout", choices=LAYOUTS, default="channels-last")
    print(json.dumps(report(parser.parse_args())))


if __name__ == "__main__":
    main()
