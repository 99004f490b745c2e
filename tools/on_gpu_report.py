"""on-gpu.json and on-gpu.md from what the steps of tools/on-gpu left; docs/gpu.md describes both."""

import json
import re
import time

# The most kernels in a table, and the share of a ceiling below which one is worth a look.
LISTED, WORTH = 12, 0.5
# A kernel that takes less of a step is not worth a look.
LEAST_SHARE = 0.02


def loaded(path):
    """The JSON of a file; nothing where it is missing or was not written to its end."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def steps_of(out):
    try:
        lines = (out / "steps.jsonl").read_text().splitlines()
    except OSError:
        return []
    return [json.loads(line) for line in lines]


def selftest(out):
    """Counts, faults, and the check that came closest to its limit."""
    lines = loaded(out / "selftest.json")
    if lines is None:
        return None
    measured = [line for line in lines if line["error"] is not None]
    worst = max(measured, key=lambda line: line["error"], default=None)
    return {
        "passed": sum(line["passed"] for line in lines),
        "failed": sum(not line["passed"] for line in lines),
        "faults": [{"name": line["name"], "fault": line["fault"]} for line in lines if not line["passed"]],
        "largest_error": worst and {"name": worst["name"], "error": worst["error"]},
    }


def tests(out, name):
    """Counts of a run of the test binary, also of one that was cut."""
    try:
        text = (out / "logs" / f"{name}.log").read_text(errors="replace")
    except OSError:
        return None
    # What a driver prints may stand between a test's name and its outcome.
    ended = re.findall(r"^test (\S.*?) +\.\.\. (?:(?!^test ).)*?\b(ok|FAILED|ignored)$", text, re.MULTILINE | re.DOTALL)
    count = re.search(r"^running (\d+) tests?", text, re.MULTILINE)
    if count is None:
        return None
    of = lambda outcome: sum(1 for _, found in ended if found == outcome)
    return {
        "selected": int(count.group(1)),
        "passed": of("ok"),
        "failed": of("FAILED"),
        "ignored": of("ignored"),
        "not_reached": int(count.group(1)) - len(ended),
        "failures": [test for test, found in ended if found == "FAILED"],
    }


def kernels(out):
    """The profiles, as `dfrt bench train --profile --json` wrote them, without what the times have."""
    kept = ("arch", "res", "batch", "method", "kernels_for", "kernels_ms", "gap_share", "idle_share", "step_ms")
    found = []
    for path in sorted(out.glob("kernels-*.json")):
        profile = loaded(path)
        if profile and profile.get("kernels"):
            found.append({name: profile[name] for name in kept} | {"ceilings": profile["ceilings"], "kernels": profile["kernels"]})
    return found


def study(out):
    """The arms' figures of the short study."""
    report = loaded(out / "study" / "report.json")
    if report is None:
        return None
    arms = []
    for arm in report["arms"]:
        metrics = arm["eval"]["metrics"]
        attacks = [
            {name: attack[name] for name in ("method", "eps_255", "n", "robust_accuracy", "attack_success_rate")}
            for attack in arm["attacks"]
        ]
        clean = {name: metrics[name] for name in ("balanced_accuracy", "auc")}
        arms.append({"name": arm["name"], "seed": arm["seed"], "clean": clean, "attacks": attacks})
    return {"report": "study/report.html", "arms": arms}


def assembled(out, finished):
    facts = loaded(out / "begin.json") or {}
    steps = steps_of(out)
    devices = loaded(out / "devices.json") or {}
    began = devices.get("began", time.time())
    bad = [step for step in steps if step["status"] in ("failed", "cut")]
    outcome = ("failed" if bad else "done") if finished else "running"
    return {
        "schema": 1,
        **facts,
        "outcome": outcome,
        "seconds": round(time.time() - began, 1),
        "versions": devices.get("versions", {}),
        "device": devices.get("used"),
        "devices": devices.get("devices", []),
        "vulkan_loader": devices.get("vulkan_loader"),
        "vulkan_driver_named": devices.get("vulkan_driver_named"),
        "steps": steps,
        "selftest": selftest(out),
        "tests": {name: tests(out, name) for name in ("tests-kernels", "tests-networks")},
        "step_times": loaded(out / "times.json"),
        "kernels": kernels(out),
        "study": study(out),
    }


def write(out, finished=False):
    """Writes both files; returns the object of on-gpu.json."""
    report = assembled(out, finished)
    (out / "on-gpu.json").write_text(json.dumps(report, indent=1) + "\n")
    (out / "on-gpu.md").write_text(markdown(report))
    return report


def number(value, digits=3):
    """Three digits; no exponent."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    before = len(str(int(abs(value))))
    return f"{value:,.0f}" if before >= digits else f"{value:.{digits - before}f}"


def percent(value):
    return "-" if value is None else f"{100 * value:.1f} %"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]


def markdown(report):
    device = report["device"]
    title = f"{device['name']}" if device else "no device"
    parts = [[f"### {title}, {report.get('date', '')[:10]}{' (rehearsal)' if report.get('rehearsal') else ''}"]]
    parts.append(where(report))
    parts.append(steps_table(report))
    for part in (times_part, kernels_part, study_part):
        parts += part(report)
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def where(report):
    """Device, driver, date, versions: one paragraph."""
    device, machine, versions = report["device"], report.get("machine", {}), report.get("versions", {})
    said = []
    if device:
        said.append(f"{device['name']} ({device['type']}, {device['api']}), driver {device['driver']}")
    else:
        said.append("No device that can train")
    said += [f"nvidia-smi: {gpu['name']}, driver {gpu['driver_version']}, {gpu['memory.total']}" for gpu in report.get("nvidia", [])]
    said.append(f"{machine.get('processor')}, {machine.get('cores')} cores, {machine.get('system')}")
    said.append(f"{versions.get('dfrt')} ({(versions.get('commit') or 'commit unknown')[:12]})")
    torch = (report["step_times"] or {}).get("pytorch")
    if torch:
        parts = [f"PyTorch {torch['torch']}", f"torchvision {torch['torchvision']}", f"on {torch['device']}"]
        parts += [f"CUDA {torch['cuda']}, cuDNN {torch['cudnn']}"] if torch["cuda"] else []
        said.append(", ".join(parts))
    lines = [f"{'; '.join(said)}; {report.get('date')}; {number(report['seconds'])} s.", f"`{report.get('command')}`"]
    if report.get("rehearsal"):
        lines.append("**A rehearsal: small sizes. No figure here says how fast anything is.**")
    return lines


def found(report, name):
    """What a step found, in a few words."""
    if name == "selftest" and report["selftest"]:
        result = report["selftest"]
        worst = result["largest_error"]
        text = f"{result['passed']} passed, {result['failed']} failed"
        return text + (f", largest error {worst['error']:.1e} ({worst['name']})" if worst else "")
    if name in report["tests"] and report["tests"][name]:
        counts = report["tests"][name]
        text = f"{counts['passed']} passed, {counts['failed']} failed, {counts['ignored']} ignored"
        return text + (f", {counts['not_reached']} not reached" if counts["not_reached"] else "")
    if name == "times" and report["step_times"]:
        return f"{report['step_times']['rounds']} whole rounds"
    return ""


def steps_table(report):
    rows = []
    for step in report["steps"]:
        said = "; ".join(text for text in (found(report, step["name"]), step["reason"]) if text)
        status = step["status"] if step["status"] in ("done", "skipped") else f"**{step['status']}**"
        rows.append([step["name"], status, number(step["seconds"]), said])
    return table(["step", "outcome", "s", ""], rows)


def times_part(report):
    times = report["step_times"]
    if not times:
        return []
    precisions = [f"pytorch_{name}" for name in (times["pytorch"] or {}).get("precisions", [])]
    head = ["method", "batch", "dfrt ms", "10 to 90 %", "to plain", "images/s", "queued images/s", "dfrt MB"]
    for name in precisions:
        title = f"PyTorch {name[8:].upper()}"
        head += [f"{title} ms", f"{title} MB", f"{title} / dfrt"]
    rows = []
    for row in times["rows"]:
        ours = row.get("dfrt", {})
        if "step_ms" in ours:
            step = ours["step_ms"]
            cells = [number(step["median"]), f"{number(step['p10'])} to {number(step['p90'])}"]
            cells += [number(row.get("to_plain_step")), number(ours["images_per_second"])]
            cells += [number(ours["queued_images_per_second"]), number(ours["peak_gpu_mb"])]
        else:
            cells = ["failed" if "error" in ours else "-"] + ["-"] * 5
        for name in precisions:
            theirs = row.get(name, {})
            step = theirs.get("step_ms", {}).get("median")
            memory = theirs.get("peak_allocated_mb")
            memory = theirs.get("peak_reserved_mb") if memory is None else memory
            ratio = row.get("pytorch_over_dfrt", {}).get(name)
            cells += ["failed" if "error" in theirs else number(step), number(memory), number(ratio)]
        rows.append([row["method"], row["batch"], *cells])
    title = f"Step times, {times['arch']} at {times['res']} px"
    without = f" PyTorch left out: {times['without_pytorch']}." if times["without_pytorch"] else ""
    return [[f"{title}, f32, medians of {max(times['rounds'], 1)} round(s) in turns.{without}"], table(head, rows)]


def kernels_part(report):
    parts = []
    for profile in report["kernels"]:
        ceilings = profile["ceilings"]
        parts.append(
            [
                f"Kernels of {profile['method']}, {profile['arch']} at {profile['res']} px, batch {profile['batch']} "
                f"(variants for: {profile['kernels_for'] or 'any device'}). Ceilings measured: copy "
                f"{number(ceilings['copy']['gb_s'])} GB/s, product {number(ceilings['product']['gflops'])} GFLOP/s. "
                f"{number(profile['kernels_ms'])} ms in dispatches."
            ]
        )
        rows = [
            [
                f"`{kernel['name']}`",
                kernel["calls"],
                number(kernel["ms"]),
                percent(kernel["share"]),
                "-" if not kernel["gflops"] else number(kernel["gflops"]),
                number(kernel["gb_s"]),
                f"{percent(kernel['fraction_of_ceiling'])} {kernel['bound']}",
            ]
            for kernel in profile["kernels"][:LISTED]
        ]
        parts.append(table(["kernel", "calls", "ms", "share", "GFLOP/s", "GB/s", "of ceiling"], rows))
        slow = [
            f"`{kernel['name']}` ({percent(kernel['share'])} of the step, {percent(kernel['fraction_of_ceiling'])})"
            for kernel in profile["kernels"]
            if kernel["fraction_of_ceiling"] < WORTH and kernel["share"] >= LEAST_SHARE
        ]
        parts.append([f"Under half of their ceiling: {', '.join(slow)}." if slow else "No kernel of 2 % or more is under half of its ceiling."])
    return parts


def study_part(report):
    if not report["study"]:
        return []
    rows = []
    for arm in report["study"]["arms"]:
        clean = arm["clean"]
        for attack in arm["attacks"]:
            at = f"{attack['method']} at {attack['eps_255']:g}/255"
            rows.append([arm["name"], interval(clean["balanced_accuracy"]), interval(clean["auc"]), at, interval(attack["robust_accuracy"]), attack["n"]])
    head = ["arm", "balanced accuracy", "AUC", "attack", "robust accuracy", "pictures"]
    return [[f"A short study on drawn pictures, whose full report is {report['study']['report']}; it shows that the whole runs, not which arm is better."], table(head, rows)]


def interval(value):
    """A figure with its 95 % interval, where it has one."""
    if isinstance(value, dict):
        low, high = value.get("low"), value.get("high")
        middle = value.get("value", value.get("estimate"))
        spread = f" [{low:.2f}, {high:.2f}]" if low is not None and high is not None else ""
        return f"{middle:.2f}{spread}" if middle is not None else "-"
    return "-" if value is None else f"{value:.2f}"
