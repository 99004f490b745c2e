"""What stands in front of the first convolution. Each takes pixels in the units that
its name or comment says and gives what the detector was fitted to."""

import torch
import torch.nn.functional as F
from torch import nn

from .case import CAFFE, MEAN, STD, channels


class Head(nn.Module):
    """Means and deviations of the channels, as buffers."""

    def __init__(self, mean=MEAN, std=STD, scale=1):
        super().__init__()
        for name, values in (("mean", mean), ("std", std)):
            values = torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)
            self.register_buffer(name, (values * scale).float())


class SubDiv(Head):
    def forward(self, given):
        return (given - self.mean) / self.std


class MulAdd(Head):
    def __init__(self, mean=MEAN, std=STD, scale=1):
        super().__init__(mean, std, scale)
        self.register_buffer("factor", 1 / self.std)
        self.register_buffer("offset", -self.mean / self.std)

    def forward(self, given):
        return given * self.factor + self.offset


class BatchNorm(nn.Module):
    """The running statistics are the normalisation."""

    def __init__(self, mean, variance):
        super().__init__()
        self.norm = nn.BatchNorm2d(3, eps=1e-5)
        self.norm.running_mean.copy_(mean)
        self.norm.running_var.copy_(variance)
        self.eval()

    def forward(self, given):
        return self.norm(given)


class ClipFirst(SubDiv):
    def __init__(self, most, **others):
        super().__init__(**others)
        self.most = most

    def forward(self, given):
        return super().forward(given.clamp(0, self.most))


class PickedChannels(SubDiv):
    """Blue first by a list of places (Gather)."""

    def forward(self, given):
        return super().forward(given[:, [2, 1, 0]])


class FlippedChannels(SubDiv):
    """Blue first by a negative step (Slice)."""

    def forward(self, given):
        return super().forward(torch.flip(given, [1]))


class SplitChannels(SubDiv):
    """Blue first by Split and Concat."""

    def forward(self, given):
        red, green, blue = torch.split(given, 1, dim=1)
        return super().forward(torch.cat([blue, green, red], 1))


class PadFirst(SubDiv):
    def forward(self, given):
        return super().forward(F.pad(given, (2, 2, 2, 2), mode="reflect"))


class ChannelByChannel(nn.Module):
    """Each channel has its own Sub and Div."""

    def forward(self, given):
        parts = torch.split(given, 1, dim=1)
        return torch.cat([(part - mean) / std for part, mean, std in zip(parts, MEAN, STD)], 1)


class InceptionTransform(nn.Module):
    """torchvision's and timm's `transform_input`: turns ImageNet's normalisation, which
    it expects outside, into that by one half."""

    def forward(self, given):
        parts = [
            torch.unsqueeze(given[:, place], 1) * (STD[place] / 0.5) + (MEAN[place] - 0.5) / 0.5 for place in range(3)
        ]
        return torch.cat(parts, 1)


class Standardised(nn.Module):
    """Each picture by its own mean and deviation."""

    def forward(self, given):
        mean = given.mean((1, 2, 3), keepdim=True)
        deviation = ((given - mean) ** 2).mean((1, 2, 3), keepdim=True).sqrt()
        return (given - mean) / (deviation + 1e-6)


class PaddedByZeros(SubDiv):
    """Normalises, then pads by zeros, as a torchvision transform inside would."""

    def forward(self, given):
        return F.pad(super().forward(given), (1, 1, 1, 1))


class Instance(nn.Module):
    """Each channel of a picture by its own mean and deviation."""

    def __init__(self):
        super().__init__()
        self.norm = nn.InstanceNorm2d(3, eps=1e-9)

    def forward(self, given):
        return self.norm(given)


class Swapped(nn.Module):
    """Blue first, and nothing else."""

    def forward(self, given):
        return given[:, [2, 1, 0]]


class CastFirst(SubDiv):
    """Takes bytes."""

    def forward(self, given):
        return super().forward(given.to(self.mean.dtype) / 255)


class CastAlone(nn.Module):
    """Takes bytes and hands them on as numbers from 0 to 255."""

    def __init__(self):
        super().__init__()
        self.register_buffer("one", torch.ones(1))

    def forward(self, given):
        return given.to(self.one.dtype)


class ResizeFirst(SubDiv):
    def forward(self, given):
        return super().forward(F.interpolate(given, size=(48, 48), mode="bilinear", align_corners=False))


class Divided(nn.Module):
    """Pixels from 0 to 255 by 255 and nothing else."""

    def forward(self, given):
        return given / 255


class DividedSubDiv(SubDiv):
    def forward(self, given):
        return super().forward(given / 255)


class Doubled(nn.Module):
    def forward(self, given):
        return given * 2 - 1


class Keras(nn.Module):
    """Pixels from 0 to 255 to -1 to 1."""

    def forward(self, given):
        return given / 127.5 - 1


class FromSigned(SubDiv):
    """Takes pixels from -1 to 1 and brings them to 0 to 1 first."""

    def forward(self, given):
        return super().forward((given + 1) / 2)


class LastToFirst(nn.Module):
    """Channels last outside."""

    def __init__(self, then):
        super().__init__()
        self.then = then

    def forward(self, given):
        return self.then(given.permute(0, 3, 1, 2))


class NormalisedThenTransposed(nn.Module):
    """Normalises channels last, then puts them first."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN) * 255)
        self.register_buffer("std", torch.tensor(STD) * 255)

    def forward(self, given):
        return ((given - self.mean) / self.std).permute(0, 3, 1, 2)


class Caffe(nn.Module):
    """Pixels from 0 to 255: blue first, less the mean."""

    def forward(self, given):
        return given[:, [2, 1, 0]] - channels(CAFFE, given)


class Flat(SubDiv):
    """Reshape and Identity before the normalisation."""

    def forward(self, given):
        flat = given.flatten(2)
        return super().forward(flat.view(-1, 3, given.shape[2], given.shape[3]))


class TwoBranches(nn.Module):
    """One branch is normalised inside, one filters raw pixels."""

    def __init__(self, core, noise):
        super().__init__()
        self.normal, self.core, self.noise = SubDiv(), core, noise
        kernel = torch.tensor([[-1.0, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4
        self.register_buffer("kernel", kernel.expand(3, 1, 3, 3).clone())

    def forward(self, given):
        residue = F.conv2d(given, self.kernel, groups=3)
        return self.core(self.normal(given)) + 0.25 * self.noise(residue)


class Turned(nn.Module):
    """The mean logit of a picture and of its mirror image."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, given):
        return (self.model(given) + self.model(torch.flip(given, [3]))) / 2


def folded(core):
    """The detector with ImageNet's normalisation inside the weights of its first
    convolution: it takes pixels from 0 to 1 and no operator shows it."""
    first = core.body[0]
    bare = nn.Conv2d(3, first.out_channels, first.kernel_size, first.stride, first.padding)
    with torch.no_grad():
        weight = first.weight.double() / torch.tensor(STD, dtype=torch.float64).view(1, 3, 1, 1)
        bare.weight.copy_(weight)
        bare.bias.copy_(-(weight * torch.tensor(MEAN, dtype=torch.float64).view(1, 3, 1, 1)).sum((1, 2, 3)))
    core.body[0] = bare
    return core
