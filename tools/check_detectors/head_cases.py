"""Files that differ in what stands in front of the first convolution."""

import torch

from . import heads
from .case import (
    MEAN,
    STD,
    blue_first,
    caffe,
    channels_last,
    half,
    imagenet,
    none,
    signed,
    to_bytes,
    uint8,
)
from .torch_case import BYTES, CAFFE, HALF, IMAGENET, NONE, torch_case


def of_heads(fitter):
    core = fitter.small(imagenet)
    halved = fitter.small(half)
    plain = fitter.small(none)
    by_caffe = fitter.small(caffe)
    sequence = torch.nn.Sequential

    def case(name, what, model, outside=none, **others):
        return torch_case(f"head-{name}", what, model, outside, **others)

    yield case("bare-imagenet", "nothing inside, ImageNet's outside", core, imagenet, options=IMAGENET, attacked=True)
    yield case("bare-half", "nothing inside, one half outside", halved, half, options=HALF)
    yield case("bare-none", "nothing inside, pixels as they are", plain, none, options=NONE)
    yield case("bare-caffe", "nothing inside, Caffe's outside", by_caffe, caffe, options=CAFFE)
    yield case("bare-bytes", "nothing inside, 0-255 as it is", fitter.small(to_bytes), to_bytes, options=BYTES)
    yield case("bare-own", "nothing inside, a mean and std of its own outside", fitter.small(own), own, options=OWN)
    yield case("folded", "folded into the first Conv", heads.folded(fitter.small(imagenet)), none, options=NONE)
    yield case("sub-div", "Sub, Div", sequence(heads.SubDiv(), core), attacked=True)
    yield case("sub-div-bytes", "Sub, Div of 0-255", sequence(heads.SubDiv(scale=255), core), to_bytes)
    yield case("mul-add", "Mul, Add", sequence(heads.MulAdd(), core))
    yield case("mul-add-bytes", "Mul, Add of 0-255", sequence(heads.MulAdd(scale=255), core), to_bytes)
    mean, variance = torch.tensor(MEAN), torch.tensor(STD) ** 2
    yield case("batch-norm", "BatchNormalization", sequence(heads.BatchNorm(mean, variance), core))
    yield case(
        "batch-norm-bytes",
        "BatchNormalization of 0-255",
        sequence(heads.BatchNorm(255 * mean, 255**2 * variance), core),
        to_bytes,
    )
    yield case("clip", "Clip, Sub, Div", sequence(heads.ClipFirst(1.0), core))
    yield case("clip-bytes", "Clip, Sub, Div of 0-255", sequence(heads.ClipFirst(255.0, scale=255), core), to_bytes)
    swapped = {"mean": MEAN[::-1], "std": STD[::-1]}
    by_blue = fitter.small(blue_first)
    for name, what, head in (
        ("gather", "Gather of channels", heads.PickedChannels),
        ("slice", "Slice by -1", heads.FlippedChannels),
        ("split-concat", "Split, Concat", heads.SplitChannels),
    ):
        yield case(name, f"{what}, Sub, Div", sequence(head(**swapped), by_blue))
    yield case(
        "gather-bare",
        "Gather of channels, ImageNet's outside",
        sequence(heads.Swapped(), by_blue),
        imagenet,
        options=IMAGENET,
    )
    yield case(
        "gather-bytes",
        "Gather, Sub, Div of 0-255",
        sequence(heads.PickedChannels(scale=255, **swapped), by_blue),
        to_bytes,
    )
    yield case("pad", "Pad, Sub, Div", sequence(heads.PadFirst(), core))
    yield case("pad-after", "Sub, Div, Pad", sequence(heads.PaddedByZeros(), core))
    yield case("by-channel", "Split, three Sub and Div, Concat", sequence(heads.ChannelByChannel(), core))
    yield case(
        "inception",
        "torchvision's transform_input: expects ImageNet's outside",
        sequence(heads.InceptionTransform(), halved),
        imagenet,
        options=IMAGENET,
    )
    standard = fitter.small(standardised)
    yield case(
        "standardised", "each picture by its mean and deviation", sequence(heads.Standardised(), standard), options=NONE
    )
    yield case(
        "instance-norm", "InstanceNormalization", sequence(heads.Instance(), fitter.small(by_instance)), options=NONE
    )
    yield case("cast", "uint8 in, Cast, Div, Sub, Div", sequence(heads.CastFirst(), core), uint8)
    yield case("cast-alone", "uint8 in, Cast", sequence(heads.CastAlone(), fitter.small(to_bytes)), uint8, options=NONE)
    yield case("resize", "Resize, Sub, Div", sequence(heads.ResizeFirst(), core))
    yield case("by-255", "Div by 255", sequence(heads.Divided(), plain), to_bytes)
    yield case("by-255-sub-div", "Div by 255, Sub, Div", sequence(heads.DividedSubDiv(), core), to_bytes)
    yield case("doubled", "2 x - 1", sequence(heads.Doubled(), halved))
    yield case("keras", "x / 127.5 - 1", sequence(heads.Keras(), halved), to_bytes)
    yield case("from-signed", "takes -1 to 1: Add 1, Div 2, Sub, Div", sequence(heads.FromSigned(), core), signed)
    last = heads.LastToFirst
    yield case("nhwc", "Transpose, Sub, Div", sequence(last(heads.SubDiv()), core), channels_last(none))
    yield case(
        "nhwc-bytes",
        "Sub, Div of 0-255, Transpose",
        sequence(heads.NormalisedThenTransposed(), core),
        channels_last(to_bytes),
    )
    yield case(
        "nhwc-bare",
        "Transpose alone",
        sequence(last(torch.nn.Identity()), core),
        channels_last(imagenet),
        options=IMAGENET,
    )
    yield case(
        "nhwc-cast",
        "uint8 in, Transpose, Cast, Div, Sub, Div",
        sequence(last(heads.CastFirst()), core),
        channels_last(uint8),
    )
    yield case("caffe", "Gather, Sub of 0-255", sequence(heads.Caffe(), by_caffe), to_bytes)
    yield case("reshape", "Reshape, Reshape, Sub, Div", sequence(heads.Flat(), core))
    noise = fitter.small(residue)
    yield case(
        "two-branches", "Sub and Div in one branch, a filter in the other", heads.TwoBranches(core, noise), options=NONE
    )
    yield case(
        "mirrored", "mean logit of picture and mirror image, Sub, Div", heads.Turned(sequence(heads.SubDiv(), core))
    )
    yield case(
        "mirrored-bare",
        "the same without a normalisation",
        heads.Turned(core),
        imagenet,
        options=IMAGENET,
    )


OWN = ["--mean", "0.4,0.45,0.5", "--std", "0.3,0.28,0.25"]


def own(pixels):
    mean, std = (
        torch.tensor(values, dtype=pixels.dtype).view(1, 3, 1, 1) for values in ([0.4, 0.45, 0.5], [0.3, 0.28, 0.25])
    )
    return (pixels - mean) / std


def standardised(pixels):
    return heads.Standardised()(pixels)


def by_instance(pixels):
    return heads.Instance()(pixels)


def residue(pixels):
    kernel = heads.TwoBranches(None, None).kernel.to(pixels.dtype)
    return torch.nn.functional.conv2d(pixels, kernel, groups=3)
