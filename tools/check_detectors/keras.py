"""Keras-style networks, node by node as tf2onnx writes them: channels last outside, a
transpose before the convolutions and one after, a dense layer of MatMul and Add."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from .case import RES

SEED = 0
# (operator, constant) in front of the first transpose.
RESCALED = [("Mul", 1 / 127.5), ("Add", -1.0)]
BY_255 = [("Mul", 1 / 255)]


def keras(front, end, outputs, given, labels):
    """A writer of a network that is fitted to `given` [N, H, W, 3], what it takes of the
    pictures. `front` are its first operators, `end` its last, or nothing."""

    def write(path):
        draw = np.random.default_rng(SEED)
        nodes, constants = [], []

        def constant(name, array):
            constants.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
            return name

        def then(operator, inputs, output, **attributes):
            nodes.append(helper.make_node(operator, inputs, [output], name=f"model/{output}", **attributes))
            return output

        value = "input_1"
        for place, (operator, by) in enumerate(front):
            value = then(operator, [value, constant(f"rescaling/const{place}", by)], f"rescaling/{operator.lower()}")
        value = then("Transpose", [value], "conv/transpose", perm=[0, 3, 1, 2])
        for place, (inner, outer) in enumerate(((3, 16), (16, 48))):
            scale = (2 / (9 * inner)) ** 0.5
            kernel = constant(f"kernel{place}", draw.normal(size=(outer, inner, 3, 3)) * scale)
            bias = constant(f"bias{place}", draw.normal(size=outer) * 0.1)
            value = then(
                "Conv",
                [value, kernel, bias],
                f"conv{place}",
                strides=[2, 2],
                auto_pad="SAME_UPPER",
                kernel_shape=[3, 3],
            )
            value = then("Relu", [value], f"relu{place}")
        value = then("Transpose", [value], "back/transpose", perm=[0, 2, 3, 1])
        value = then("ReduceMean", [value], "pool", axes=[1, 2], keepdims=0)
        pooled = made(nodes, constants, "pool", [None, 48])
        found = session(pooled).run(None, {"input_1": given.astype(np.float32)})[0].astype(np.float64)
        kernel, bias = dense(found, labels, outputs)
        value = then("MatMul", [value, constant("dense/kernel", kernel)], "dense/MatMul")
        value = then("Add", [value, constant("dense/bias", bias)], "dense/BiasAdd")
        if end:
            value = then(end, [value], "predictions")
        whole = made(nodes, constants, value, ["unk__2", outputs])
        onnx.checker.check_model(whole, full_check=True)
        onnx.save(whole, path)

    return write


def dense(found, labels, outputs):
    """A dense layer that tells the pictures apart, its logits spread over a few units."""
    scaled = (found - found.mean(0)) / found.std()
    wanted = (2 * labels - 1) * np.linspace(0.6, 3.6, len(labels))
    direction = scaled.T @ np.linalg.solve(scaled @ scaled.T + 0.01 * len(found) * np.eye(len(found)), wanted)
    direction *= 2 / (found @ direction).std()
    shares = np.linspace(-0.5, 0.5, outputs) if outputs > 1 else np.ones(1)
    kernel = direction[:, None] * shares
    return kernel, -(found.mean(0) @ kernel)


def made(nodes, constants, output, shape):
    graph = helper.make_graph(
        nodes,
        "tf2onnx",
        [helper.make_tensor_value_info("input_1", TensorProto.FLOAT, ["unk__1", RES, RES, 3])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], producer_name="tf2onnx")
    model.ir_version = 8
    return model


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
