"""Files that differ in what stands behind the last linear layer."""

import torch
import torch.nn.functional as F

from . import heads, tails
from .case import (
    class_of_logits,
    class_of_probabilities,
    fake_first,
    imagenet,
    logit,
    probability,
    real_probability,
    two_logits,
    two_probabilities,
)
from .files import exported
from .torch_case import FAKE_FIRST, LOGIT, PROBABILITY, inside, torch_case


def of_tails(fitter):
    one, two, three = (inside(fitter.small(imagenet, outputs)) for outputs in (1, 2, 3))
    other = inside(fitter.small(imagenet, 1, bias=True))

    def case(name, what, model, end=None, *, saturate=1, **others):
        if saturate != 1:
            model = tails.Tail(model, lambda z: saturate * z)
        model = tails.Tail(model, end) if end else model
        return torch_case(f"tail-{name}", what, model, **others)

    sigmoid = torch.sigmoid
    yield case("logit", "one logit", one, attacked=True)
    yield case("two-logits", "two logits", two, read=two_logits)
    yield case("two-logits-fake-first", "two logits, fake first", two, read=fake_first, options=FAKE_FIRST)
    yield case("sigmoid", "Sigmoid", one, sigmoid, read=probability, attacked=True)
    yield case(
        "sigmoid-saturated", "Sigmoid, 8 times surer", one, sigmoid, saturate=8, read=probability, saturated=True
    )
    yield case("softmax", "Softmax", two, tails.softmax, read=two_probabilities)
    yield case(
        "softmax-saturated",
        "Softmax, 8 times surer",
        two,
        tails.softmax,
        saturate=8,
        read=two_probabilities,
        saturated=True,
    )
    yield case("softmax-gather", "Softmax, Gather of class 1", two, lambda z: tails.softmax(z)[:, 1], read=probability)
    yield case("softmax-slice", "Softmax, Slice of class 1", two, lambda z: tails.softmax(z)[:, 1:], read=probability)
    yield case(
        "softmax-slice-real",
        "Softmax, Slice of class 0",
        two,
        lambda z: tails.softmax(z)[:, :1],
        read=real_probability,
        options=FAKE_FIRST,
    )
    yield case("clip", "Sigmoid, Clip", one, lambda z: sigmoid(z).clamp(1e-7, 1 - 1e-7), read=probability)
    yield case(
        "one-minus", "1 - Sigmoid: real", one, lambda z: 1 - sigmoid(z), read=real_probability, options=FAKE_FIRST
    )
    yield case("concat", "Concat of 1 - p and p", one, tails.both, read=two_probabilities)
    yield case(
        "concat-fake-first",
        "Concat of p and 1 - p",
        one,
        tails.fake_then_real,
        read=lambda outputs: -two_probabilities(outputs),
        options=FAKE_FIRST,
    )
    yield case("mul", "Sigmoid times 1", one, lambda z: sigmoid(z) * 1.0, read=probability)
    yield case("add", "Sigmoid plus 0", one, lambda z: sigmoid(z) + 0.0, read=probability)
    yield case("div", "Sigmoid by 1", one, lambda z: sigmoid(z) / 1.0, read=probability)
    yield case("by-hand", "1 / (1 + exp(-z))", one, tails.by_hand, read=probability, attacked=True)
    yield case(
        "by-hand-saturated", "the same, 8 times surer", one, tails.by_hand, saturate=8, read=probability, saturated=True
    )
    yield case("exp-by-sum", "exp(z) / sum", two, tails.exp_by_sum, read=two_probabilities)
    yield case("tanh", "(Tanh(z / 2) + 1) / 2", one, lambda z: (torch.tanh(z / 2) + 1) / 2, read=probability)
    yield case("hard-sigmoid", "HardSigmoid", one, lambda z: F.hardsigmoid(0.8 * z), read=probability)
    yield torch_case("tail-mean", "mean of two probabilities", tails.MeanOfTwo(one, other), read=probability)
    yield case("log-softmax", "LogSoftmax", two, lambda z: torch.log_softmax(z, 1), read=two_logits)
    yield case("logit-of-probability", "Sigmoid, log(p / (1 - p))", one, tails.logit_of_probability, options=LOGIT)
    yield case("gated", "a logit times a Sigmoid", two, tails.gated, options=LOGIT)
    yield case("log-sigmoid", "log of a Sigmoid", one, lambda z: torch.log(sigmoid(z)), refused=r"operator is Log,")
    yield case(
        "three-logits", "three logits, the last fake", three, read=class_of_logits(2), options=["--fake-index", "2"]
    )
    yield case(
        "three-probabilities",
        "three probabilities, the last fake",
        three,
        tails.softmax,
        read=class_of_probabilities(2),
        options=["--fake-index", "2"],
    )
    yield case(
        "three-sigmoid-slice",
        "three probabilities, Slice of the last",
        three,
        lambda z: tails.softmax(z)[:, 2:],
        read=probability,
    )
    yield case("flat", "one logit, [N]", one, lambda z: z.squeeze(1))
    yield case("flat-probability", "Sigmoid, [N]", one, lambda z: sigmoid(z).flatten(), read=probability)
    core = fitter.small(imagenet)
    yield torch_case("tail-places", "one logit, [N, 1, 1, 1]", tails.Places(heads.SubDiv(), core))
    yield case(
        "logit-within-0-1",
        "a logit that stays in [0, 1] on these pictures",
        one,
        lambda z: 0.05 * z + 0.5,
        options=LOGIT,
    )
    yield case(
        "two-sigmoids",
        "two sigmoids that do not sum to 1",
        two,
        sigmoid,
        read=two_probabilities,
        options=PROBABILITY,
    )
    yield case("percent", "Sigmoid times 100", one, lambda z: 100 * sigmoid(z), refused=r"Mul, which gives a multiple of a probability")
    yield case(
        "softmax-max",
        "the largest of two probabilities",
        two,
        lambda z: tails.softmax(z).amax(1),
        refused=r"the largest or smallest of several numbers",
    )
    yield case(
        "softmax-difference",
        "the difference of two probabilities",
        two,
        lambda z: tails.softmax(z)[:, 1] - tails.softmax(z)[:, 0],
        refused=r"Sub, which gives the difference of two probabilities",
    )
    yield case(
        "softmax-linear",
        "a linear layer over a Softmax",
        two,
        lambda z: F.linear(tails.softmax(z), torch.tensor([[-0.5, 0.5]])),
        refused=r"mixes the numbers behind a Softmax",
    )
    yield case(
        "pooled-gather",
        "Conv to two, GlobalAveragePool, Gather of class 1",
        tails.PooledPlaces(heads.SubDiv(), fitter.small(imagenet, 2)),
        lambda z: z[:, 1],
        refused=r"takes some of a linear layer's numbers",
    )
    yield case(
        "threshold",
        "1 where a probability is above one half",
        one,
        lambda z: torch.where(sigmoid(z) > 0.5, 1.0, 0.0),
        refused=r"nothing but 0 and 1",
    )
    yield case("arg-max", "ArgMax: hard labels", two, lambda z: z.argmax(1), refused=r"which are labels")
    yield case(
        "arg-max-float",
        "ArgMax, Cast: hard labels",
        two,
        lambda z: z.argmax(1).float(),
        refused=r"labels \(ArgMax\)",
    )
    with_features = tails.WithFeatures(heads.SubDiv(), core)
    yield torch_case(
        "tail-and-features",
        "features and a logit",
        with_features,
        write=exported(with_features, outputs=("features", "logit")),
        read=lambda outputs: logit(outputs, 1),
        options=["--output-name", "logit"],
    )
