#!/usr/bin/env python3
"""Compares how fast PyTorch's DataLoader with PIL and dfrt load training pictures: the same
pictures, at the same side and batch, in turns:

    python tools/peers/loading.py DATA --dfrt target/release/dfrt

DATA is {train,val,test}/{real,fake}/; the pictures of train are loaded. Both crop the central
square, resize it bicubically with antialiasing, flip it with probability 1/2, shuffle every
epoch again and leave an incomplete last batch out. PyTorch: one worker per core, workers that
stay between epochs, PIL, then what torchvision's ToTensor does (float32 in [0, 1], channels
first); with --uint8 bytes stay bytes, the least work of a DataLoader. dfrt: `dfrt bench
loading`, 8-bit pixels in the form of the GPU, which converts them to floats itself.

Every file is read once before, so that both find the files in the system's cache. PyTorch
decodes in every epoch: its fastest epoch is compared with dfrt's first epoch (everything is
decoded) and with its later ones (taken from memory).

Needs: pip install torch==2.15.0 numpy==2.4.6 pillow==13.0.0
"""

import argparse
import json
import os
import random
import subprocess
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image, features
from torch.utils.data import DataLoader, Dataset

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


class Pictures(Dataset):
    """The pictures of DATA/train and their labels, 1 for fake."""

    def __init__(self, data, res, as_uint8):
        self.res, self.as_uint8 = res, as_uint8
        self.samples = [
            (path, label)
            for label, name in enumerate(["real", "fake"])
            for path in sorted((data / "train" / name).rglob("*"))
            if path.suffix.lower() in SUFFIXES
        ]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        path, label = self.samples[index]
        with Image.open(path) as picture:
            square = central_square(picture.convert("RGB"))
        if square.size != (self.res, self.res):
            square = square.resize((self.res, self.res), Image.Resampling.BICUBIC)
        if random.random() < 0.5:
            square = square.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()
        return pixels if self.as_uint8 else pixels.float().div(255), label


def central_square(picture):
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    if picture.size == (side, side):
        return picture
    return picture.crop((left, top, left + side, top + side))


def pytorch(pictures, args):
    """Pictures per second of every epoch."""
    loader = DataLoader(
        pictures,
        batch_size=min(args.batch, len(pictures)),
        shuffle=True,
        drop_last=True,
        num_workers=args.workers,
        persistent_workers=args.workers > 0,
    )
    rates = []
    for _ in range(args.epochs):
        start = time.perf_counter()
        count = sum(len(labels) for _, labels in loader)
        rates.append(count / (time.perf_counter() - start))
    return rates


def dfrt(args):
    """The object of `dfrt bench loading --json`."""
    command = [args.dfrt, "bench", "loading", "--data", args.data, "--res", args.res]
    command += ["--batch", args.batch, "--epochs", args.epochs, "--threads", max(args.workers, 1), "--json"]
    ran = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(ran.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--dfrt", type=Path, help="the program; without it only PyTorch is timed")
    parser.add_argument("--res", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=2, help="2 or more")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="default: cores")
    parser.add_argument("--uint8", action="store_true", help="PyTorch returns bytes, not floats")
    args = parser.parse_args()
    if args.epochs < 2:
        parser.error("--epochs 2 or more, to have a later one")

    pictures = Pictures(args.data, args.res, args.uint8)
    if not pictures.samples:
        parser.error(f"{args.data}: no pictures in train/real and train/fake")
    for path, _ in pictures.samples:
        path.read_bytes()
    turbo = features.version("libjpeg_turbo")
    print(f"{len(pictures)} pictures, {args.res} px, batch {args.batch}, {args.workers} workers")
    print(f"PyTorch {torch.__version__}, Pillow {Image.__version__}, libjpeg-turbo {turbo}")
    print("images/s              PyTorch first   later | dfrt first    later |  ratio first   later")
    ratios = []
    for turn in range(args.rounds):
        rates = pytorch(pictures, args)
        line = f"  round {turn + 1}             {rates[0]:13,.0f} {max(rates[1:]):7,.0f}"
        if args.dfrt:
            bench = dfrt(args)
            assert bench["n_train"] == len(pictures), "both must feed the same pictures"
            first, later = bench["first_epoch_images_per_second"], bench["later_epochs_images_per_second"]
            ratios.append((first / max(rates), later / max(rates)))
            line += f" | {first:10,.0f} {later:8,.0f} | {ratios[-1][0]:12.2f} {ratios[-1][1]:7.1f}"
        print(line, flush=True)
    if ratios:
        first, later = (median(ratio[at] for ratio in ratios) for at in range(2))
        print(f"dfrt is {first:.2f} times as fast in its first epoch, {later:.1f} times in later ones (median)")


if __name__ == "__main__":
    main()
