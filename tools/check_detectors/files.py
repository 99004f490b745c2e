"""Writers: PyTorch's two exporters, and what other programs do to their files."""

import contextlib
import io
import json
import logging
import math
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from .case import RES, none


@contextlib.contextmanager
def quiet():
    """Exporters and quantisers talk a lot."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def exported(model, outside=none, *, dynamo=False, opset=None, batch="N", size=None, outputs=("out",), constants=True):
    """A writer of `model`, whose input is what `outside` makes of pixels. `batch` is a
    number or the name of an open size; `size` names open height and width."""
    opset = opset or (18 if dynamo else 17)

    def write(path):
        example = outside(torch.rand(batch if isinstance(batch, int) else 2, 3, RES, RES))
        first = 1 if example.shape[1] != 3 else 2
        open_sizes = {0: batch} if isinstance(batch, str) else {}
        if size:
            open_sizes |= {first: f"{size}1", first + 1: f"{size}2"}
        with quiet():
            if dynamo:
                shapes = ({place: torch.export.Dim(name) for place, name in open_sizes.items()},)
                torch.onnx.export(
                    model,
                    (example,),
                    path,
                    dynamo=True,
                    opset_version=opset,
                    input_names=["pixels"],
                    output_names=list(outputs),
                    dynamic_shapes=shapes,
                    verbose=False,
                )
                return
            axes = {"pixels": open_sizes} if open_sizes else {}
            if isinstance(batch, str):
                axes |= {name: {0: batch} for name in outputs}
            torch.onnx.export(
                model,
                (example,),
                path,
                dynamo=False,
                opset_version=opset,
                do_constant_folding=constants,
                input_names=["pixels"],
                output_names=list(outputs),
                dynamic_axes=axes,
            )

    return write


# --- changes to a file that exists ---------------------------------------------------


def edited(write, *changes):
    """A writer of the file after `changes`; each takes the model and may return another."""

    def write_edited(path):
        write(path)
        made = onnx.load(path)
        for change in changes:
            made = change(made) or made
        path.unlink()
        onnx.save(made, path)

    return write_edited


def by_tool(write, tool):
    """A writer of what `tool(from, to)` makes of the file."""

    def write_changed(path):
        before = path.with_suffix(".before.onnx")
        write(before)
        with quiet():
            tool(before, path)
        for left in path.parent.glob(f"{before.name}*"):
            left.unlink()

    return write_changed


def first_size(value):
    """The batch of the input and of every output becomes `value`: a number or a name."""

    def change(made):
        for tensor in [*made.graph.input, *made.graph.output]:
            size = tensor.type.tensor_type.shape.dim[0]
            size.Clear()
            if isinstance(value, str):
                size.dim_param = value
            else:
                size.dim_value = value

    return change


def without_shape(made):
    """Neither input nor output has a shape."""
    for tensor in [*made.graph.input, *made.graph.output]:
        tensor.type.tensor_type.ClearField("shape")
    del made.graph.value_info[:]


def with_nodes(*nodes, output=None, replace=True, kind=TensorProto.FLOAT, shape=("N", 1), constants=()):
    """Appends `nodes` (operator, inputs, outputs, attributes); "$" is the file's output.
    `output` becomes the file's output, or one more in front of it."""

    def change(made):
        graph = made.graph
        last = graph.output[0].name
        for operator, inputs, outputs, attributes in nodes:
            inputs = [last if name == "$" else name for name in inputs]
            graph.node.append(helper.make_node(operator, inputs, outputs, **attributes))
        for name, values in constants:
            graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        added = helper.make_tensor_value_info(output, kind, list(shape))
        kept = [] if replace else list(graph.output)
        del graph.output[:]
        graph.output.extend([added, *kept])

    return change


def written_by(name):
    def change(made):
        made.producer_name, made.producer_version = name, ""

    return change


def renamed(made):
    """Names as tf2onnx gives them."""
    graph = made.graph
    names = {}
    for place, node in enumerate(graph.node):
        node.name = f"StatefulPartitionedCall/model/{node.op_type.lower()}_{place}"
        for slot, output in enumerate(node.output):
            names[output] = f"{node.name}:{slot}"
    for tensor in graph.initializer:
        names[tensor.name] = f"const_fold_opt__{len(names)}"
        tensor.name = names[tensor.name]
    names[graph.input[0].name] = "input_1"
    names[graph.output[0].name] = "Identity:0"
    for node in graph.node:
        for side in (node.input, node.output):
            side[:] = [names.get(name, name) for name in side]
    for tensor in [*graph.input, *graph.output]:
        tensor.name = names[tensor.name]
    del graph.value_info[:]
    made.producer_name = "tf2onnx"


def weight(name, place, value):
    """One number of the weight whose name holds `name` becomes `value`."""

    def change(made):
        found = [tensor for tensor in made.graph.initializer if name in tensor.name]
        values = numpy_helper.to_array(found[0]).copy()
        values.reshape(-1)[place] = value
        found[0].CopyFrom(numpy_helper.from_array(values, found[0].name))

    return change


# --- other programs -----------------------------------------------------------------


def extracted(before, after):
    """onnx's own cutter, which writes its own producer's name."""
    made = onnx.load(before)
    ends = [[tensor.name for tensor in side] for side in (made.graph.input, made.graph.output)]
    onnx.utils.extract_model(str(before), str(after), *ends)


def converted(version):
    def change(made):
        return onnx.version_converter.convert_version(made, version)

    return change


def simplified(before, after):
    import onnxsim

    made, valid = onnxsim.simplify(onnx.load(before))
    if not valid:
        raise RuntimeError("onnxsim says that its file differs")
    onnx.save(made, after)


def optimised(level):
    """onnxruntime's optimiser, saved."""

    def tool(before, after):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.optimized_model_filepath = str(after)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(str(before), options, providers=["CPUExecutionProvider"])

    return tool


def external(before, after, prefix=""):
    """Weights in a second file, whose place may be written as ./file."""
    onnx.save(
        onnx.load(before),
        after,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=f"{after.name}.data",
        size_threshold=0,
    )
    if prefix:
        made = onnx.load(after, load_external_data=False)
        for tensor in made.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = prefix + entry.value
        after.write_bytes(made.SerializeToString())


def external_by_dot(before, after):
    external(before, after, "./")


def half_floats(keep):
    """float16, with input and output in 32 bits where `keep`."""

    def tool(before, after):
        from onnxconverter_common import float16

        onnx.save(float16.convert_float_to_float16(onnx.load(before), keep_io_types=keep), after)

    return tool


def half_floats_by_onnxruntime(before, after):
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(before), keep_io_types=True), after)


class Calibration(CalibrationDataReader):
    """The pictures, one by one."""

    def __init__(self, name, given):
        self.left = iter([{name: row[None]} for row in given])

    def get_next(self):
        return next(self.left, None)


def dynamic(before, after):
    quantize_dynamic(before, after, weight_type=QuantType.QUInt8)


def static(form, given, *, per_channel=False, only=None):
    def tool(before, after):
        name = onnx.load(before).graph.input[0].name
        quantize_static(
            before,
            after,
            Calibration(name, given),
            quant_format=form,
            per_channel=per_channel,
            # Products of 8 bits overflow on processors without VNNI.
            reduce_range=True,
            op_types_to_quantize=only,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )

    return tool


QDQ, OPERATORS = QuantFormat.QDQ, QuantFormat.QOperator

# --- what lies beside or is no model ---------------------------------------------------


def beside(write, **files):
    """Also writes JSON files into the model's folder; `_` in a name stands for a dot."""

    def write_both(path):
        write(path)
        for name, content in files.items():
            (path.parent / name.replace("_json", ".json")).write_text(json.dumps(content))

    return write_both


def text(content):
    return lambda path: Path(path).write_bytes(content)


def cut(write, share):
    """The first part of the file."""

    def write_cut(path):
        write(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: math.floor(share * len(whole))])

    return write_cut
