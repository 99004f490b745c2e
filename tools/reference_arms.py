"""One training step of every arm in PyTorch, by autograd alone, for tools/reference.py.

Written from the papers, not from dfrt's code. A step gives the losses of its passes and
the gradient of every learned tensor. Only its first pass in training mode moves the
running statistics; adversarial pictures are made before that, with the network in
evaluation mode.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

# Under the roots of the taps' deviations.
EPS = 1e-5


class Arm:
    """A network, a batch, and the step of a run; `run` names the arm and its settings.

    `drawn(number, count)` gives uniform numbers in [-1, 1), `keys` are the pictures' keys
    of the random starts [N, 2], and `regularizer(settings)` gives the perturbation of
    gradient regularization."""

    def __init__(self, network, pixels, targets, weights, drawn, keys, regularizer):
        self.network, self.pixels = network, pixels
        self.targets, self.weights = targets, weights
        self.drawn, self.keys, self.regularizer = drawn, keys, regularizer
        self.adversarial = None
        # The least distance of a sign from the other one, over all steps of the adversary.
        self.nearest_sign = math.inf

    def step(self, run):
        """Losses, and (name, number, gradient) of each learned tensor."""
        return getattr(self, run["arm"].replace("-", "_"))(run)

    # Passes.

    def forward(self, pixels, moves_statistics, perturb=None):
        """Logits in training mode."""
        self.network.model.train()
        for norm in self.network.norms:
            norm.momentum = 0.1 if moves_statistics else 0.0
        return self.network.logits(pixels, perturb)

    def losses(self, logits):
        """The cross-entropy of each picture, without its weight."""
        return F.binary_cross_entropy_with_logits(logits, self.targets, reduction="none")

    def mean(self, losses):
        """The mean of the weighted losses."""
        return (self.weights * losses).mean()

    def loss(self, pixels, moves_statistics, perturb=None):
        return self.mean(self.losses(self.forward(pixels, moves_statistics, perturb)))

    def gradient(self, loss):
        return self.network.gradients(loss)

    @staticmethod
    def sum(*terms):
        """The weighted sum of gradients, given as (weight, gradient)."""
        first = terms[0][1]
        parts = [[weight * tensor for _, _, tensor in gradient] for weight, gradient in terms]
        return [(name, number, sum(of)) for (name, number, _), *of in zip(first, *parts)]

    # Arms of one pass.

    def baseline(self, _):
        loss = self.loss(self.pixels, True)
        return [loss], self.gradient(loss)

    def noisy(self, run, offset, through_statistics):
        """One pass in which `offset(tap, mu, sigma)` moves the statistics of each tap:
        f' = fhat (sigma + dsigma) + mu + dmu."""

        def perturb(index, f):
            if index not in run["taps"]:
                return f
            mu = f.mean((2, 3), keepdim=True)
            sigma = (f.var((2, 3), unbiased=False, keepdim=True) + EPS).sqrt()
            dmu, dsigma = offset(index, mu.detach(), sigma.detach())
            if not through_statistics:
                mu, sigma = mu.detach(), sigma.detach()
            return (f - mu) / sigma * (sigma + dsigma) + (mu + dmu)

        loss = self.loss(self.pixels, True, perturb)
        return [loss], self.gradient(loss)

    def dsu(self, run):
        """Li et al., ICLR 2022: noise as large as the statistics' deviation over the batch."""

        def offset(tap, mu, sigma):
            n, c = mu.shape[:2]
            draws = self.network.tensor(run["scale"] * self.drawn(tap, n * 2 * c).reshape(n, 2, c, 1, 1))
            deviation = lambda values: (values.var(0, unbiased=True, keepdim=True) + EPS).sqrt()
            return draws[:, 0] * deviation(mu), draws[:, 1] * deviation(sigma)

        return self.noisy(run, offset, True)

    def mixstyle(self, run):
        """Zhou et al., ICLR 2021: statistics lam * own + (1 - lam) * the partner's, constants."""

        def offset(tap, mu, sigma):
            draws = self.drawn(tap, 2 * len(mu)).reshape(2, -1)
            partners = torch.from_numpy(np.argsort(draws[0], kind="stable"))
            lam = 1.0 - run["scale"] * self.network.tensor((draws[1] + 1.0) / 2.0).view(-1, 1, 1, 1)
            mixed = lambda own: lam * own + (1.0 - lam) * own[partners]
            return mixed(mu) - mu, mixed(sigma) - sigma

        return self.noisy(run, offset, False)

    # Arms of two passes over the clean pictures.

    def sam(self, run):
        """Foret et al., ICLR 2021: the gradient at theta + rho g / ||g||."""
        return self.gnp({"radius": run["radius"], "alpha": 1.0})

    def gnp(self, run):
        """Zhao, Zhang & Hu, ICML 2022: (1 - alpha) g1 + alpha g2, g2 that of SAM."""
        first = self.loss(self.pixels, True)
        g1 = self.gradient(first)
        # In float64 in any case: over four million values PyTorch's float32 norm is off by 3e-4.
        length = torch.cat([tensor.reshape(-1).double() for _, _, tensor in g1]).norm().item()
        before = [tensor.detach().clone() for _, _, tensor in self.network.parameters()]
        with torch.no_grad():
            for (_, _, tensor), (_, _, gradient) in zip(self.network.parameters(), g1):
                tensor += run["radius"] / length * gradient
        second = self.loss(self.pixels, False)
        g2 = self.gradient(second)
        with torch.no_grad():
            for (_, _, tensor), old in zip(self.network.parameters(), before):
                tensor.copy_(old)
        return [first, second], self.sum((1.0 - run["alpha"], g1), (run["alpha"], g2))

    def input_gr(self, run):
        """Finlay & Oberman 2021: L + lambda / 2 ((L(x + h v) - L(x)) / h)^2, v the constant
        direction of the pixels' gradient."""
        pixels = self.pixels.clone().requires_grad_()
        own = self.losses(self.forward(pixels, True))
        first = self.mean(own)
        (slope,) = torch.autograd.grad(first, pixels, retain_graph=True)
        v = slope / slope.square().sum((1, 2, 3), keepdim=True).sqrt()
        ahead = self.losses(self.forward(self.pixels + run["h"] * v, False))
        penalty = 0.5 * run["lambda"] * ((ahead - own) / run["h"]).square()
        return [first, self.mean(ahead)], self.gradient(self.mean(own + penalty))

    def gr(self, run, pixels=None):
        """Guan et al., IEEE TIFS 2024."""
        pixels = self.pixels if pixels is None else pixels
        by = self.regularizer(run)
        first = self.loss(pixels, True, by.first_pass)
        leaves = [leaf for tap in run["taps"] for leaf in by.deltas[tap]]
        gradients = self.network.gradients(first, leaves)
        g1, of_leaves = gradients[: -len(leaves)], gradients[-len(leaves) :]
        by.scale(of_leaves)
        second = self.loss(pixels, False, by.apply)
        g2 = self.gradient(second)
        return [first, second], self.sum((1.0 - run["alpha"], g1), (run["alpha"], g2))

    # Adversarial arms.

    def start(self, eps):
        """A uniform point of the ball: multiples of 2^-23 in [-1, 1), a hash of the
        picture's key, 2^32 - 1 and the pixel."""
        n, _, height, width = self.pixels.shape
        pixel = np.tile(np.arange(height * width, dtype=np.uint32), n)
        key = np.repeat(self.keys.astype(np.uint32), height * width, axis=0)
        bits = pcg4d([key[:, 0], key[:, 1], np.full_like(pixel, 0xFFFFFFFF), pixel])[:3]
        offset = (np.stack(bits, 1) >> np.uint32(8)) / 2.0**23 - 1.0
        offset = offset.reshape(n, height, width, 3).transpose(0, 3, 1, 2)
        return (self.pixels + eps * self.network.tensor(offset)).clamp(0.0, 1.0)

    def ascend(self, run, objective):
        """PGD (Madry et al., ICLR 2018) in the Linf ball on the network in evaluation mode;
        `objective(logits)` gives a number a picture, which each step raises."""
        self.network.model.eval()
        eps = run["eps"] / 255.0
        x = self.start(eps)
        for _ in range(run["steps"]):
            x.requires_grad_()
            (gradient,) = torch.autograd.grad(objective(self.network.logits(x)).sum(), x)
            size = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
            if eps > 0.0:
                self.nearest_sign = min(self.nearest_sign, (gradient.abs() / size).min().item())
            x = x.detach() + run["step"] * eps * gradient.sign()
            x = torch.maximum(torch.minimum(x, self.pixels + eps), self.pixels - eps).clamp(0.0, 1.0)
        if eps > 0.0:
            self.adversarial = (x - self.pixels) / eps
        return x

    def adversary(self, run):
        """The pictures of largest loss, or for TRADES of largest divergence."""
        if run["arm"] == "at":
            return self.ascend(run, self.losses)
        self.network.model.eval()
        with torch.no_grad():
            clean = self.network.logits(self.pixels)
        return self.ascend(run, lambda logits: divergence(clean, logits))

    def at(self, run):
        """The loss of adversarial pictures, with `gr` regularized; with one step that of
        Wong, Rice & Kolter, ICLR 2020."""
        x = self.adversary(run)
        if run["gr"] is not None:
            return self.gr(run["gr"], x)
        loss = self.loss(x, True)
        return [loss], self.gradient(loss)

    def trades(self, run):
        """Zhang et al., ICML 2019: L(x) + beta KL(p(x) || p(x')), the first term with `gr`
        regularized."""
        x = self.adversary(run)
        # Both terms of the sum have gradients of their own, so that `gr` can take one's place.
        if run["gr"] is None:
            clean = self.forward(self.pixels, True)
            loss = self.mean(self.losses(clean))
        else:
            (loss, _), regularized = self.gr(run["gr"])
            clean = self.forward(self.pixels, False)
        apart = self.mean(run["beta"] * divergence(clean, self.forward(x, False)))
        if run["gr"] is None:
            return [loss, apart], self.gradient(loss + apart)
        return [loss, apart], self.sum((1.0, regularized), (1.0, self.gradient(apart)))


def divergence(z, a):
    """KL(p || q) of two Bernoulli distributions with the logits z and a."""
    p, rest = z.sigmoid(), (-z).sigmoid()
    return p * (F.logsigmoid(z) - F.logsigmoid(a)) + rest * (F.logsigmoid(-z) - F.logsigmoid(-a))


def pcg4d(values):
    """The hash pcg4d of Jarzynski & Olano (Hash Functions for GPU Rendering, JCGT 2020) of
    four rows of 32-bit integers."""
    x, y, z, w = (row * np.uint32(1664525) + np.uint32(1013904223) for row in values)

    def mixed(x, y, z, w):
        x = x + y * w
        y = y + z * x
        z = z + x * y
        w = w + y * z
        return x, y, z, w

    x, y, z, w = mixed(x, y, z, w)
    return mixed(*(row ^ (row >> np.uint32(16)) for row in (x, y, z, w)))
