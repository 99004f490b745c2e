"""Files of Keras, scikit-learn and timm, and files with a configuration beside them."""

import torch
from onnx import TensorProto

from . import files, heads, keras
from .case import (
    MEAN,
    STD,
    Case,
    channels_last,
    half,
    imagenet,
    logit,
    none,
    probability,
    second,
    signed,
    to_bytes,
    two_logits,
    two_probabilities,
)
from .files import exported
from .torch_case import BYTES, HALF, IMAGENET, NONE, inside, torch_case


def of_keras(fitter):
    pixels, labels = fitter.pixels, fitter.labels.double().numpy()

    def case(name, what, outside, front, end, outputs, **others):
        outside = channels_last(outside)
        write = keras.keras(front, end, outputs, outside(pixels).numpy(), labels)
        return Case(f"keras-{name}", what, write, outside, **others)

    yield case(
        "rescaled", "Keras: Mul, Add of 0-255, Softmax", to_bytes, keras.RESCALED, "Softmax", 2, read=two_probabilities
    )
    yield case("by-255", "Keras: Mul by 1/255, Sigmoid", to_bytes, keras.BY_255, "Sigmoid", 1, read=probability)
    yield case("bare", "Keras: nothing inside, 0-1, Sigmoid", none, [], "Sigmoid", 1, read=probability, options=NONE)
    yield case("bare-signed", "Keras: nothing inside, -1-1", signed, [], None, 1, options=HALF)
    yield case(
        "bare-bytes", "Keras: nothing inside, 0-255", to_bytes, [], "Sigmoid", 1, read=probability, options=BYTES
    )


def of_others(fitter):
    two = inside(fitter.small(imagenet, 2)).eval()
    labelled = files.edited(
        exported(two),
        files.with_nodes(
            ("Softmax", ["$"], ["probabilities"], {"axis": 1}),
            output="probabilities",
            shape=("N", 2),
        ),
        files.with_nodes(
            ("ArgMax", ["$"], ["label"], {"axis": 1, "keepdims": 0}),
            output="label",
            kind=TensorProto.INT64,
            shape=("N",),
            replace=False,
        ),
    )
    yield Case(
        "skl2onnx",
        "label and probabilities, as skl2onnx",
        labelled,
        read=second(two_probabilities),
        options=["--output-name", "probabilities"],
    )
    for name, outputs, read in (
        ("efficientnet_b0", 2, two_logits),
        ("mobilenetv3_small_100", 1, logit),
        ("vit_tiny_patch16_224", 2, two_logits),
        ("nf_regnet_b0", 1, logit),
    ):
        core = fitter.timm(name, imagenet, outputs)
        yield torch_case(
            f"timm-{name}",
            f"timm's {name}, nothing inside",
            core,
            imagenet,
            read=read,
            options=IMAGENET,
            attacked=name == "efficientnet_b0",
            by_onnxruntime=not name.startswith("nf"),
        )
    free = torch.nn.Sequential(heads.SubDiv(), fitter.normaliser_free(imagenet))
    yield torch_case(
        "normaliser-free", "weights standardised by BatchNormalization in training mode", free, by_onnxruntime=False
    )
    yield torch_case(
        "normaliser-free-unfolded",
        "the same, constants not folded",
        free,
        write=exported(free, constants=False),
        by_onnxruntime=False,
    )


def beside(fitter):
    core, halved = fitter.small(imagenet), fitter.small(half)

    def case(name, what, model, outside, **others):
        content = {key: others.pop(key) for key in list(others) if key.endswith("_json")}
        return torch_case(name, what, model, outside, write=files.beside(exported(model, outside), **content), **others)

    yield case(
        "preprocessor-config",
        "preprocessor_config.json, one half",
        halved,
        half,
        options=HALF,
        preprocessor_config_json={
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
            "image_processor_type": "ViTImageProcessor",
            "resample": 2,
            "rescale_factor": 1 / 255,
            "size": {"height": 64, "width": 64},
        },
    )
    yield case(
        "preprocessor-config-unnormalised",
        "preprocessor_config.json, do_normalize false",
        fitter.small(none),
        none,
        options=NONE,
        preprocessor_config_json={
            "do_normalize": False,
            "do_rescale": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
            "rescale_factor": 1 / 255,
            "size": 64,
        },
    )
    yield case(
        "preprocessor-config-unscaled",
        "preprocessor_config.json, do_rescale false",
        fitter.small(to_bytes),
        to_bytes,
        options=BYTES,
        preprocessor_config_json={"do_normalize": False, "do_rescale": False, "size": {"shortest_edge": 64}},
    )
    yield case(
        "timm-config",
        "timm's config.json",
        core,
        imagenet,
        options=IMAGENET,
        config_json={
            "architecture": "small",
            "num_classes": 1,
            "num_features": 64,
            "pretrained_cfg": {
                "input_size": [3, 64, 64],
                "interpolation": "bicubic",
                "crop_pct": 0.95,
                "mean": MEAN,
                "std": STD,
                "first_conv": "body.0",
                "classifier": "head",
            },
        },
    )
    yield case(
        "config-against-graph",
        "Sub, Div inside, and a preprocessor_config.json that says the same again",
        inside(core),
        none,
        options=NONE,
        preprocessor_config_json={
            "do_normalize": True,
            "do_rescale": True,
            "image_mean": MEAN,
            "image_std": STD,
            "rescale_factor": 1 / 255,
        },
    )
