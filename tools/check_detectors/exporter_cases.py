"""Files that differ in who wrote them: exporters, programs that change files, half
precision and integers."""

import onnxruntime
import torch

from . import files, heads, tails
from .case import (
    MEAN,
    STD,
    Case,
    blue_first,
    imagenet,
    none,
    probability,
    two_probabilities,
)
from .files import exported
from .torch_case import IMAGENET, LOGIT, NONE, inside, torch_case


def of_exporters(fitter):
    core = fitter.small(imagenet)
    one = inside(core)
    sigmoid = tails.Tail(one, torch.sigmoid)
    for opset in (11, 12, 13, 15, 16, 18, 20):
        yield torch_case(f"opset-{opset}", f"TorchScript, opset {opset}", one, write=exported(one, opset=opset))
    yield torch_case(
        "opset-9", "TorchScript, opset 9, Sigmoid", sigmoid, read=probability, write=exported(sigmoid, opset=9)
    )
    for opset in (18, 21):
        yield torch_case(
            f"dynamo-{opset}",
            f"dynamo, opset {opset}",
            one,
            write=exported(one, dynamo=True, opset=opset),
            attacked=opset == 18,
        )
    softmax = tails.Tail(inside(fitter.small(imagenet, 2)), tails.softmax)
    yield torch_case(
        "dynamo-softmax", "dynamo, Softmax", softmax, read=two_probabilities, write=exported(softmax, dynamo=True)
    )
    swapped = torch.nn.Sequential(heads.FlippedChannels(mean=MEAN[::-1], std=STD[::-1]), fitter.small(blue_first))
    picked = tails.Tail(swapped, tails.by_hand)
    yield torch_case(
        "dynamo-slice-by-hand",
        "dynamo, Slice by -1, 1 / (1 + exp(-z))",
        picked,
        read=probability,
        write=exported(picked, dynamo=True),
    )
    yield torch_case(
        "dynamo-bare", "dynamo, nothing inside", core, imagenet, options=IMAGENET, write=exported(core, dynamo=True)
    )
    plain = exported(one)

    def changed(name, what, *changes, write=plain, **others):
        return torch_case(name, what, one, write=files.edited(write, *changes), **others)

    def bare(name, what, *changes, **others):
        return torch_case(
            name, what, core, imagenet, options=IMAGENET, write=files.edited(exported(core), *changes), **others
        )

    yield changed("producer-none", "no producer's name", files.written_by(""))
    yield bare("producer-none-bare", "no producer's name, nothing inside", files.written_by(""))
    yield changed("tf2onnx-names", "names of tf2onnx, channels first", files.renamed)
    yield bare("tf2onnx-names-bare", "names of tf2onnx, channels first, nothing inside", files.renamed)
    for name, tool in (
        ("extracted", files.extracted),
        ("onnxsim", files.simplified),
        ("onnxruntime-basic", files.optimised(onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC)),
    ):
        yield torch_case(name, f"{name}, Sub, Div", one, write=files.by_tool(plain, tool))
        yield torch_case(
            f"{name}-bare",
            f"{name}, nothing inside",
            core,
            imagenet,
            options=IMAGENET,
            write=files.by_tool(exported(core), tool),
        )
    yield torch_case(
        "onnxruntime-extended",
        "onnxruntime's own operators",
        one,
        write=files.by_tool(plain, files.optimised(onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED)),
        refused="FusedConv",
    )
    yield torch_case("unfolded", "constants not folded", one, write=exported(one, constants=False))
    yield torch_case("batch-1", "batch of 1", one, write=exported(one, batch=1))
    yield torch_case("batch-4", "batch of 4", one, write=exported(one, batch=4))
    yield changed("batch-named", "batch by name", files.first_size("batch_size"))
    yield changed("batch-minus-1", "batch of -1", files.first_size(-1))
    yield changed("batch-0", "batch of 0", files.first_size(0), by_onnxruntime=False)
    yield torch_case("any-size", "open size", one, write=exported(one, size="side"), options=["--res", "64"])
    yield changed("no-shape", "no shape at all", files.without_shape, options=["--res", "64"])
    yield torch_case("external", "weights in a second file", one, write=files.by_tool(plain, files.external))
    yield torch_case("external-dot", "weights in ./file", one, write=files.by_tool(plain, files.external_by_dot))


def of_quantisers(fitter):
    core = fitter.small(imagenet)
    one = inside(core)
    sigmoid = tails.Tail(one, torch.sigmoid)

    def case(name, what, model, tool, outside=none, **others):
        write = files.by_tool(exported(model.eval(), outside), tool)
        return Case(name, what, write, outside, **others)

    yield case("float16", "float16 throughout", one, files.half_floats(False))
    yield case("float16-inside", "float16, input and output 32 bits", one, files.half_floats(True))
    yield case("float16-bare", "float16, nothing inside", core, files.half_floats(True), imagenet, options=IMAGENET)
    yield case(
        "float16-onnxruntime",
        "float16 by onnxruntime, Sigmoid",
        sigmoid,
        files.half_floats_by_onnxruntime,
        read=probability,
    )
    yield case("dynamic-uint8", "dynamic uint8", one, files.dynamic, options=[*NONE, *LOGIT])
    yield case(
        "dynamic-uint8-bare",
        "dynamic uint8, nothing inside",
        core,
        files.dynamic,
        imagenet,
        options=[*IMAGENET, *LOGIT],
    )
    given = {outside: outside(fitter.pixels).numpy() for outside in (none, imagenet)}
    for place, model, options in (("", one, []), ("-bare", core, IMAGENET)):
        outside, said = (imagenet, ", nothing inside") if options else (none, "")
        qdq = files.static(files.QDQ, given[outside])
        yield case(
            f"qdq{place}", f"static, QuantizeLinear and DequantizeLinear{said}", model, qdq, outside, options=options
        )
        convolutions = files.static(files.OPERATORS, given[outside], only=["Conv"])
        yield case(f"qlinear-conv{place}", f"static, QLinearConv{said}", model, convolutions, outside, options=options)
    everything = files.static(files.OPERATORS, given[none])
    yield case("qoperator", "static, onnxruntime's own operators", one, everything, refused="QGemm")
    yield case(
        "qdq-mul-add",
        "static, QuantizeLinear and DequantizeLinear, Mul and Add among them",
        torch.nn.Sequential(heads.MulAdd(), core),
        files.static(files.QDQ, given[none]),
        options=NONE,
    )
    yield case(
        "qdq-channels-sigmoid",
        "static, the same by channel, Sigmoid",
        sigmoid,
        files.static(files.QDQ, given[none], per_channel=True),
        read=probability,
    )
