"""Small detectors with drawn weights: batch-norms are fitted to the pictures and the
last layer to their labels, so that logits spread over a few units and tell the classes
apart."""

import copy

import timm
import torch
from timm.layers import ScaledStdConv2d
from torch import nn

from .case import RES

SEED = 0


class Small(nn.Module):
    """Three convolutions, a mean over places and a linear layer. The first convolution
    pads nothing, so that a normalisation can be folded into it exactly."""

    def __init__(self, outputs, bias=False):
        super().__init__()
        layers = []
        for inner, outer, padding in ((3, 16, 0), (16, 32, 1), (32, 64, 1)):
            layers += [nn.Conv2d(inner, outer, 3, 2, padding, bias=bias), nn.BatchNorm2d(outer), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(64, outputs)

    def features(self, given):
        return self.body(given).mean((2, 3))

    def forward(self, given):
        return self.head(self.features(given))


class Normaliser(nn.Module):
    """As NFNets: weights are standardised by a batch-norm in training mode."""

    def __init__(self, outputs):
        super().__init__()
        self.body = nn.Sequential(
            ScaledStdConv2d(3, 16, 3, 2, 1), nn.SiLU(), ScaledStdConv2d(16, 64, 3, 2, 1), nn.SiLU()
        )
        self.head = nn.Linear(64, outputs)

    def features(self, given):
        return self.body(given).mean((2, 3))

    def forward(self, given):
        return self.head(self.features(given))


class Fitter:
    """Fits detectors to `pixels` [N, 3, H, W] in [0, 1] with `labels` [N], 1 for fake."""

    def __init__(self, pixels, labels):
        self.pixels, self.labels = pixels, labels
        self.made = {}

    def small(self, outside, outputs=1, bias=False):
        """One detector for each way of preparing pixels and number of outputs; all are
        drawn alike and differ in what they were fitted to."""
        key = (outside, outputs, bias)
        if key not in self.made:
            torch.manual_seed(SEED)
            model = Small(outputs, bias)
            self.fit(model, outside, model.features, model.head)
            self.made[key] = model
        return copy.deepcopy(self.made[key])

    def normaliser_free(self, outside):
        torch.manual_seed(SEED)
        model = Normaliser(1)
        self.fit(model, outside, model.features, model.head)
        return model

    def timm(self, name, outside, outputs=1):
        torch.manual_seed(SEED)
        size = {"img_size": RES} if name.startswith("vit") else {}
        model = timm.create_model(name, pretrained=False, num_classes=outputs, **size)

        def features(given):
            return model.forward_head(model.forward_features(given), pre_logits=True)

        self.fit(model, outside, features, model.get_classifier())
        return model

    @torch.no_grad()
    def fit(self, model, outside, features, head):
        given = outside(self.pixels)
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = None
        model.train()
        features(given)
        # Without a momentum a batch-norm counts batches, which an exporter cannot trace.
        for norm in norms:
            norm.momentum = 0.1
        model.eval()
        found = features(given).double()
        centre, spread = found.mean(0), found.std() + 1e-12
        # Targets on the label's side, no two alike; the regression is damped, so that
        # weights stay moderate.
        draw = torch.Generator().manual_seed(SEED)
        wanted = (2 * self.labels.double() - 1) * (0.6 + 3 * torch.rand(len(found), generator=draw).double())
        scaled = (found - centre) / spread
        damped = scaled @ scaled.T + 0.01 * len(found) * torch.eye(len(found), dtype=torch.float64)
        direction = scaled.T @ torch.linalg.solve(damped, wanted) / spread
        weight = direction / (found @ direction).std() * 2
        bias = -(centre @ weight)
        outputs = head.weight.shape[0]
        if outputs == 1:
            head.weight.copy_(weight[None])
            head.bias.fill_(bias)
            return
        # The last class says fake; the first takes the rest and the others lie between.
        shares = torch.linspace(-0.5, 0.5, outputs).double()
        common = torch.randn(len(weight), generator=draw).double() * weight.std() / 2
        turned = torch.randn(outputs, len(weight), generator=draw).double() * weight.std() / 4
        turned[0] = turned[-1] = 0
        rows = shares[:, None] * weight + common + turned
        head.weight.copy_(rows)
        head.bias.copy_(shares * bias - (turned + common) @ centre)
