"""What stands behind the last linear layer. Each takes the detector's numbers [N, K]."""

import torch
from torch import nn


class Tail(nn.Module):
    """A detector and a function of its numbers."""

    def __init__(self, model, end):
        super().__init__()
        self.model, self.end = model, end

    def forward(self, given):
        return self.end(self.model(given))


class WithFeatures(nn.Module):
    """Two outputs: features and a logit."""

    def __init__(self, normal, core, end=None):
        super().__init__()
        self.normal, self.core, self.end = normal, core, end or nn.Identity()

    def forward(self, given):
        features = self.core.features(self.normal(given))
        return features, self.end(self.core.head(features))


class MeanOfTwo(nn.Module):
    """The mean of two detectors' probabilities."""

    def __init__(self, one, other):
        super().__init__()
        self.one, self.other = one, other

    def forward(self, given):
        return (torch.sigmoid(self.one(given)) + torch.sigmoid(self.other(given))) / 2


class Places(nn.Module):
    """A convolution in place of the linear layer: N x 1 x 1 x 1."""

    def __init__(self, normal, core):
        super().__init__()
        self.normal, self.body = normal, core.body
        self.head = nn.Conv2d(64, 1, 1)
        with torch.no_grad():
            self.head.weight.copy_(core.head.weight[:, :, None, None])
            self.head.bias.copy_(core.head.bias)

    def forward(self, given):
        return self.head(self.body(self.normal(given)).mean((2, 3), keepdim=True))


class PooledPlaces(nn.Module):
    """A convolution in place of the linear layer, pooled afterwards: N x K."""

    def __init__(self, normal, core):
        super().__init__()
        self.normal, self.body = normal, core.body
        self.head = nn.Conv2d(64, core.head.out_features, 1)
        with torch.no_grad():
            self.head.weight.copy_(core.head.weight[:, :, None, None])
            self.head.bias.copy_(core.head.bias)

    def forward(self, given):
        return self.head(self.body(self.normal(given))).mean((2, 3))


class Rooted(nn.Module):
    """A root before the linear layer: no number where one feature is below `least`."""

    def __init__(self, normal, core, least):
        super().__init__()
        self.normal, self.core = normal, core
        self.register_buffer("shift", torch.ones(64))
        self.shift[0] = -least

    def forward(self, given):
        return self.core.head(torch.sqrt(self.core.features(self.normal(given)) + self.shift))


def by_hand(z):
    return 1 / (1 + torch.exp(-z))


def softmax(z):
    return torch.softmax(z, 1)


def exp_by_sum(z):
    grown = torch.exp(z)
    return grown / grown.sum(1, keepdim=True)


def both(z):
    p = torch.sigmoid(z)
    return torch.cat([1 - p, p], 1)


def fake_then_real(z):
    p = torch.sigmoid(z)
    return torch.cat([p, 1 - p], 1)


def gated(z):
    """A logit that a sigmoid weighs: no probability."""
    return z[:, :1] * torch.sigmoid(z[:, 1:])


def logit_of_probability(z):
    p = torch.sigmoid(z)
    return torch.log(p / (1 - p))
