"""Has dfrt read a file and says what became of it."""

import copy
import csv
import re
import subprocess
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, numpy_helper
from PIL import Image

from .case import TOLERANCE, Failure

# Beyond this a probability of 32 bits carries a logit coarsely or not at all, and
# sigmoids are cut off.
CARRIED = 14
# One question: what a file takes.
PREPARATION = {"--preprocess", "--range", "--mean", "--std"}
OPTION = re.compile(r"--[a-z]+(?:-[a-z]+)*")


@dataclass
class Judgement:
    """One row of the table."""

    # right, asked, refused or wrong.
    outcome: str
    # What dfrt did without options, or what is wrong.
    said: str
    off_by: float | None = None


def pixels(path):
    """The picture as [3, res, res] in [0, 1]."""
    picture = np.asarray(Image.open(path).convert("RGB"), np.float32) / np.float32(255)
    return np.moveaxis(picture, 2, 0)


def true_logits(case, path, paths):
    """By PyTorch in double precision, or by onnxruntime on the file itself."""
    batch = torch.from_numpy(np.stack([pixels(path) for path in paths]))
    if case.model is None:
        return by_onnxruntime(case, path, batch)
    with torch.no_grad():
        found = copy.deepcopy(case.model).double()(case.outside(batch.double()))
    found = found if isinstance(found, tuple) else (found,)
    return case.read([output.numpy() for output in found])


def by_onnxruntime(case, path, batch):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # As the file is written: fused 8-bit products overflow on processors without VNNI.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    given_file = widened(path) or str(path)
    session = onnxruntime.InferenceSession(given_file, options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    given = case.outside(batch).numpy()
    # One by one where that can be: the scales of dynamic quantisation are those of a batch.
    fixed = entry.shape[0] if entry.shape else None
    step = fixed if isinstance(fixed, int) and fixed > 0 else 1
    padded = np.concatenate([given, np.zeros((-len(given) % step, *given.shape[1:]), given.dtype)])
    parts = [session.run(None, {entry.name: padded[i : i + step]}) for i in range(0, len(padded), step)]
    return case.read([np.concatenate(outputs)[: len(given)] for outputs in zip(*parts)])


def widened(path):
    """A file in half precision with the same weights in 32 bits, as dfrt runs it, or nothing
    for another file. Half-precision arithmetic rounds a logit to about 1e-3 of its size."""
    made = onnx.load(path)
    narrow, wide = TensorProto.FLOAT16, TensorProto.FLOAT
    constants = [attribute.t for node in made.graph.node for attribute in node.attribute if attribute.HasField("t")]
    weights = [tensor for tensor in [*made.graph.initializer, *constants] if tensor.data_type == narrow]
    if not weights:
        return None
    for tensor in weights:
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for node in made.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == narrow:
                attribute.i = wide
    for tensor in [*made.graph.input, *made.graph.output, *made.graph.value_info]:
        if tensor.type.tensor_type.elem_type == narrow:
            tensor.type.tensor_type.elem_type = wide
    return made.SerializeToString()


def off_by(case, found, expected):
    """The largest difference, as a share of logits of at least 1."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape or np.isnan(found).any():
        return np.inf
    allowed = 0
    if case.saturated:
        # Beyond the limit the side alone is compared, below it a probability's steps count.
        found, expected = (np.clip(side, -CARRIED, CARRIED) for side in (found, expected))
        allowed = 4 * np.finfo(np.float32).eps * np.exp(np.abs(expected))
    difference = np.maximum(0, np.abs(found - expected) - allowed)
    return float(np.max(difference / np.maximum(1, np.abs(expected))))


def called(command):
    return subprocess.run([str(it) for it in command], check=False, capture_output=True, text=True, timeout=300)


def error_of(ended):
    """From the line that begins with `error:` to the end, or nothing."""
    found = re.search(r"^error:.*", ended.stderr, re.MULTILINE | re.DOTALL)
    return found.group().strip() if found else ""


def shown(text):
    """In one line, not too long for a table."""
    return " ".join(text.split())[:300]


def opset(path):
    """That of the standard operators, or nothing."""
    try:
        made = onnx.load(path, load_external_data=False)
    except Exception:  # noqa: BLE001 - a broken file has none
        return None
    return next((entry.version for entry in made.opset_import if not entry.domain), None)


def checked(case, path, truth_of, scores):
    """How far the logits of scores.csv are off, and whether they are the negative ones."""
    rows = list(csv.DictReader(scores.open(newline="", encoding="utf-8")))
    if not rows:
        raise Failure(f"{case.name}: scores.csv has no rows")
    expected = truth_of([row["path"] for row in rows])
    found = [float(row["logit"] or "nan") for row in rows]
    return off_by(case, found, expected), off_by(case, np.negative(found), expected)


def judged(case, path, arguments):
    """The first call has no options; a question is answered by the case's."""
    out = path.parent / "results"
    given = ["--model", path, "--data", arguments.data, "--force"]
    first = called([arguments.dfrt, "eval", *given, "--out", out / "eval.json"])
    error = error_of(first)
    short = shown(error.replace(str(path), path.name).replace(f"{arguments.out}/", ""))
    if first.returncode not in (0, 1, 2) or (first.returncode and not error):
        last = (first.stderr.strip().splitlines() or ["no word"])[-1]
        return Judgement("wrong", f"ends with {first.returncode}: {last[:200]}")
    if len(re.findall(r"^error:", first.stderr, re.MULTILINE)) > 1:
        return Judgement("wrong", f"has several errors: {short}")
    advised = re.search(r"opset (\d+)", error)
    if advised and int(advised[1]) == opset(path):
        return Judgement("wrong", f"advises what the file does: {short}")
    if case.refused:
        if first.returncode == 0:
            return Judgement("wrong", "is read, and must be refused")
        named = re.search(case.refused, error)
        return Judgement("refused", short) if named else Judgement("wrong", f"refused with other words: {short}")

    def truth_of(paths):
        return true_logits(case, path, paths)

    def compare(scores):
        return checked(case, path, truth_of, scores)

    if first.returncode == 0:
        worst, negative = compare(out / "scores.csv")
        if worst <= case.tolerance:
            return attacked(case, path, arguments, Judgement("right", "right", worst))
        # The order of the classes stands in no file: the labels give it away.
        if not (negative <= case.tolerance and "--fake-index" in case.options and "--fake-index" in first.stderr):
            return Judgement("wrong", "is read otherwise, in silence", worst)
        said = "warned of --fake-index"
    else:
        answered = set(case.options)
        answered |= PREPARATION if answered & PREPARATION else set()
        named = [name for name in OPTION.findall(error) if name in answered]
        if not named:
            return Judgement("wrong", f"asks for nothing that is known: {short}")
        said = "asked for " + ", ".join(dict.fromkeys(named))
    second = called([arguments.dfrt, "eval", *given, *case.options, "--out", out / "eval.json"])
    if second.returncode:
        return Judgement("wrong", f"{said}, and with {' '.join(case.options)}: {shown(error_of(second))}")
    worst, _ = compare(out / "scores.csv")
    if worst > case.tolerance:
        return Judgement("wrong", f"{said}, and is read otherwise with {' '.join(case.options)}", worst)
    return attacked(case, path, arguments, Judgement("asked", said, worst), case.options)


def attacked(case, path, arguments, judgement, options=()):
    """Some of the files are also attacked: the logits of the saved pictures must be right,
    too. Those are timed without options, as that asks nothing, and inspected."""
    if not case.attacked:
        return judgement
    out = path.parent / "attack"
    attack = [arguments.dfrt, "attack", "--model", path, "--data", arguments.data, *options, "--method", "square"]
    attack += ["--limit", arguments.limit, "--queries", arguments.queries, "--force", "--out", out]
    commands = [attack, [arguments.dfrt, "verify", out]]
    commands += [[arguments.dfrt, "bench", "model", "--model", path, "--runs", 3, "--out", path.parent / "bench.json"]]
    commands += [[arguments.dfrt, "inspect", path]]
    for command in commands:
        ended = called(command)
        if ended.returncode:
            return Judgement("wrong", f"{command[1]}: {shown(error_of(ended))}")
    if not all(option in ended.stdout for option in options):
        return Judgement("wrong", f"inspect does not show {' '.join(options)}")
    rows = list(csv.DictReader((out / "samples.csv").open(newline="", encoding="utf-8")))
    worst = judgement.off_by
    for side, column in (("clean", "clean_logit"), ("adversarial", "adv_logit")):
        present = [row for row in rows if (out / side / f"{row['id']}.png").exists()]
        if not present:
            return Judgement("wrong", f"attack saved no picture under {side}")
        expected = true_logits(case, path, [out / side / f"{row['id']}.png" for row in present])
        worst = max(worst, off_by(case, [float(row[column]) for row in present], expected))
    if worst > case.tolerance:
        return Judgement("wrong", "attack reads otherwise", worst)
    return Judgement(judgement.outcome, f"{judgement.said}; attacked", worst)


def sound(case, path, paths):
    """Nothing, or why the case itself is wrong: onnxruntime and PyTorch must agree."""
    if case.refused or case.model is None or not case.by_onnxruntime:
        return None
    batch = torch.from_numpy(np.stack([pixels(path) for path in paths]))
    worst = off_by(case, by_onnxruntime(case, path, batch), true_logits(case, path, paths))
    return None if worst <= max(case.tolerance, TOLERANCE) else f"onnxruntime and PyTorch differ by {worst:.1e}"


def operators(path):
    """What a picture passes before the first convolution and behind the last linear layer."""
    graph = onnx.load(path, load_external_data=False).graph
    known = {tensor.name for tensor in graph.input}
    names = []
    for node in graph.node:
        if known.intersection(node.input):
            known.update(node.output)
            names.append(node.op_type)
    heavy = {"Conv", "ConvInteger", "QLinearConv", "FusedConv"}
    linear = {"Gemm", "MatMul", "MatMulInteger", "QGemm", "QLinearMatMul", *heavy}
    first = next((place for place, name in enumerate(names) if name in heavy), len(names))
    last = max((place for place, name in enumerate(names) if name in linear), default=-1)
    return " ".join(names[: first + 1]) or "-", " ".join(names[last:]) or "-"
