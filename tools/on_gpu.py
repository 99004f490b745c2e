#!/usr/bin/env python3
"""The parts of tools/on-gpu that bash would be clumsy for; docs/gpu.md describes what they leave.

    on_gpu.py begin OUT ...     clears what an earlier call left, and writes down where and with what this one runs
    on_gpu.py device OUT ...    asks dfrt for its devices; prints a Vulkan driver's file where one must be named
    on_gpu.py step OUT ...      runs a command with a time limit and writes down how it ended
    on_gpu.py times OUT ...     step times of dfrt and PyTorch in turns (on_gpu_times.py)
    on_gpu.py skip OUT ...      writes down that a step was left out, and why
    on_gpu.py finish OUT        tells the outcome; exit 1 where a step failed or was cut

After each of them OUT/on-gpu.json and OUT/on-gpu.md say what is known (on_gpu_report.py). Needs Python 3.9.
"""

import argparse
import ctypes.util
import hashlib
import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import on_gpu_report
import on_gpu_times

# Seconds between asking a command to end and ending it.
GRACE_S = 3.0
# What begin clears in OUT, and all that on-gpu writes there.
OURS = (
    *("on-gpu.json", "on-gpu.md", "begin.json", "steps.jsonl", "devices.json", "selftest.json", "times.json"),
    *("logs", "study", "faces", "nvidia_icd.json"),
)
# Where drivers of containers and of other systems keep the file that Vulkan's loader must be told.
DRIVER_FILES = (
    *("/usr/local/nvidia/share/vulkan/icd.d", "/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"),
    *("/usr/local/share/vulkan/icd.d", "/opt/nvidia/share/vulkan/icd.d", "/run/opengl-driver/share/vulkan/icd.d"),
)
# NVIDIA's driver as a library; the second works without X.
NVIDIA_LIBRARIES = ("libGLX_nvidia.so.0", "libEGL_nvidia.so.0")


def output_of(command, limit=20):
    """The standard output of a command, or nothing where it cannot be run or fails."""
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=limit)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.decode(errors="replace").strip() if run.returncode == 0 else None


def processor():
    """The name of this machine's CPU."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return output_of(["sysctl", "-n", "machdep.cpu.brand_string"]) or platform.machine()


def nvidia():
    """What nvidia-smi says of each GPU; nothing where there is none."""
    fields = ("name", "driver_version", "memory.total", "memory.used", "utilization.gpu", "power.limit", "clocks.max.sm")
    listed = output_of(["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"])
    return [dict(zip(fields, map(str.strip, line.split(",")))) for line in (listed or "").splitlines()]


def digest(path):
    """The SHA-256 of a file."""
    if not path:
        return None
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            sha.update(block)
    return sha.hexdigest()


def begin(options):
    out = options.out
    if out.exists() and not (out / "begin.json").exists() and any(out.iterdir()):
        print(f"error: {out} holds what tools/on-gpu did not make; name another --out", file=sys.stderr)
        return 2
    out.mkdir(parents=True, exist_ok=True)
    for name in OURS:
        path = out / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in out.glob("kernels-*.json"):
        path.unlink()
    (out / "logs").mkdir()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": options.command,
        "minutes": options.minutes,
        "rehearsal": options.rehearse,
        "nvidia": nvidia(),
        "machine": {
            "system": platform.platform(),
            "processor": processor(),
            "cores": cores,
            "load": round(os.getloadavg()[0], 1),
        },
    }
    (out / "begin.json").write_text(json.dumps(facts, indent=1))
    return 0


def versions(options):
    """What is run."""
    root = Path(__file__).resolve().parent.parent
    return {
        "dfrt": output_of([str(options.dfrt), "--version"]),
        "dfrt_sha256": digest(options.dfrt),
        "tests_sha256": digest(options.tests),
        "commit": output_of(["git", "-C", str(root), "rev-parse", "HEAD"]),
        "python": platform.python_version(),
    }


def record(out, **step):
    """Appends a step, and renews the report."""
    with open(out / "steps.jsonl", "a") as file:
        file.write(json.dumps(step) + "\n")
    on_gpu_report.write(out)


def end(process):
    """Ends a command and all that it started."""
    for kind, patience in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, kind)
            process.wait(patience)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            continue
        return


def run(command, limit, stdout, stderr):
    """Runs a command of its own process group: its exit status, or `cut` at the limit and `stopped` by
    the user; and the seconds."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        ended = process.wait(limit)
    except subprocess.TimeoutExpired:
        end(process)
        ended = "cut"
    except KeyboardInterrupt:
        end(process)
        ended = "stopped"
    return ended, time.monotonic() - start


def last_line(path):
    """The last line of a log that says something, an error's where there is one."""
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error")]
    return (errors or lines or ["it said nothing"])[-1][:300]


def step(options):
    name, command = options.name, options.command
    log = options.out / "logs" / f"{name}.log"
    print(f"on-gpu: {name}, at most {options.limit} s: {shlex.join(command)}", flush=True)
    with open(log, "wb") as errors:
        to = open(options.stdout, "wb") if options.stdout else errors
        try:
            ended, seconds = run(command, options.limit, to, errors)
        except OSError as error:
            ended, seconds = f"cannot be run: {error}", 0.0
        finally:
            if to is not errors:
                to.close()
    status, reason, code = "done", None, None
    if isinstance(ended, int):
        code = ended
        if ended != 0:
            status, reason = "failed", f"exit {ended}: {last_line(log)}"
    elif ended == "cut":
        status, reason = "cut", f"not done after {options.limit} s"
    elif ended == "stopped":
        status, reason = "cut", "stopped by the user"
    else:
        status, reason = "failed", ended
    record(
        options.out,
        name=name,
        status=status,
        reason=reason,
        seconds=round(seconds, 1),
        limit_s=options.limit,
        exit=code,
        command=shlex.join(command),
        log=f"logs/{name}.log",
    )
    print(f"on-gpu: {name}: {status} after {seconds:.0f} s{f' ({reason})' if reason else ''}", flush=True)
    return 130 if ended == "stopped" else int(status != "done")


def skip(options):
    record(options.out, name=options.name, status="skipped", reason=options.reason, seconds=0.0)
    print(f"on-gpu: {options.name}: skipped, {options.reason}", flush=True)


def asked(dfrt, driver=None):
    """dfrt's devices, with a Vulkan driver's file named where there is one."""
    named = {} if driver is None else {"VK_DRIVER_FILES": str(driver), "VK_ICD_FILENAMES": str(driver)}
    try:
        run = subprocess.run(
            [str(dfrt), "devices", "--json"],
            env=os.environ | named,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        devices = json.loads(run.stdout) if run.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired, ValueError):
        devices = []
    return devices


def is_hardware(devices):
    return any(device["type"] != "software" for device in devices)


def unregistered(out):
    """Files of Vulkan drivers that the loader may not know, the likely ones first; for a driver that is
    there as a library alone, a file is written."""
    for folder in map(Path, DRIVER_FILES):
        yield from sorted(path for path in folder.glob("*.json") if "lvp" not in path.name)
    known = output_of(["ldconfig", "-p"]) or ""
    for library in NVIDIA_LIBRARIES:
        if library in known:
            path = out / "nvidia_icd.json"
            driver = {"library_path": library, "api_version": "1.3.0"}
            path.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": driver}))
            yield path.resolve()


def device(options):
    """Asks for devices. Where none but software is there, tries drivers that the loader was not told."""
    start, began = time.monotonic(), time.time()
    devices, driver = asked(options.dfrt), None
    if not is_hardware(devices) and not options.rehearse:
        for path in unregistered(options.out):
            found = asked(options.dfrt, path)
            if is_hardware(found):
                devices, driver = found, str(path)
                break
    used = next((device for device in devices if device["default"]), None)
    loader = ctypes.util.find_library("vulkan")
    facts = {"devices": devices, "used": used, "vulkan_loader": loader, "vulkan_driver_named": driver}
    facts |= {"began": began, "versions": versions(options)}
    (options.out / "devices.json").write_text(json.dumps(facts, indent=1))
    reason = None
    if used is None:
        reason = "dfrt finds no device that can train"
    elif not is_hardware(devices):
        reason = f"dfrt finds software Vulkan alone ({used['name']})"
    fine = reason is None or (options.rehearse and used is not None)
    if not fine:
        reason = f"{reason}; {hint(loader)}"
    record(
        options.out,
        name="device",
        status="done" if fine else "failed",
        reason=None if fine else reason,
        seconds=round(time.monotonic() - start, 1),
        command=f"{shlex.quote(str(options.dfrt))} devices --json",
    )
    if driver:
        print(driver)
    if not fine:
        print(f"on-gpu: no GPU: {reason}", file=sys.stderr, flush=True)
        return 1
    print(f"on-gpu: on {used['name']} ({used['type']}, {used['api']}, {used['driver']})", file=sys.stderr, flush=True)
    return 0


def hint(loader):
    """What to do where no GPU is found."""
    seen = [gpu["name"] for gpu in nvidia()]
    if sys.platform.startswith("linux") and loader is None:
        return "Vulkan's loader is not installed: install libvulkan1 (Debian, Ubuntu) or vulkan-loader (Fedora, Arch)"
    if seen:
        return (
            f"nvidia-smi sees {', '.join(seen)}: install the Vulkan part of NVIDIA's driver; in a container set "
            "NVIDIA_DRIVER_CAPABILITIES=all, or name the driver's file by VK_DRIVER_FILES"
        )
    return "install the GPU's driver, or rehearse on software with --rehearse"


def times(options):
    """Runs the rounds and writes down how they ended."""
    start = time.monotonic()
    limit = options.limit
    print(f"on-gpu: times, at most {limit} s: dfrt bench train and PyTorch in turns", flush=True)
    try:
        failed, cut, without = on_gpu_times.measure(options, start + limit)
    except KeyboardInterrupt:
        failed, cut, without = [], "stopped by the user", None
    reason = "; ".join([*failed, *([cut] if cut else [])]) or None
    status = "failed" if failed else "cut" if cut else "done"
    record(
        options.out,
        name="times",
        status=status,
        reason=reason,
        seconds=round(time.monotonic() - start, 1),
        limit_s=limit,
        command=on_gpu_times.described(options),
        log="logs/times.log",
    )
    if without and not failed:
        record(options.out, name="pytorch", status="skipped", reason=without, seconds=0.0)
    print(f"on-gpu: times: {status}{f' ({reason})' if reason else ''}", flush=True)
    return 130 if cut == "stopped by the user" else int(status != "done")


def finish(options):
    """Prints where the results are; 1 where a step failed or was cut."""
    report = on_gpu_report.write(options.out, finished=True)
    for step in report["steps"]:
        if step["status"] in ("failed", "cut", "skipped"):
            print(f"on-gpu: {step['status']}: {step['name']}: {step['reason']}")
    print(f"on-gpu: {report['outcome']} after {report['seconds']:.0f} s; {options.out}/on-gpu.md, {options.out}/on-gpu.json")
    return int(report["outcome"] != "done")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)

    def part(name, does, *options):
        made = parts.add_parser(name)
        made.add_argument("out", type=Path)
        for option, settings in options:
            made.add_argument(option, **settings)
        made.set_defaults(does=does)

    path, text = {"type": Path}, {"required": True}
    flag = {"action": "store_true"}
    dfrt, rehearse = ("--dfrt", {**path, "required": True}), ("--rehearse", flag)
    limit = ("--limit", {"type": int, "required": True})
    part("begin", begin, ("--minutes", {"type": float}), rehearse, ("--command", {}))
    part("device", device, dfrt, ("--tests", path), rehearse)
    part("step", step, ("--name", text), limit, ("--stdout", path))
    part("skip", skip, ("--name", text), ("--reason", text))
    part("times", times, dfrt, limit, *on_gpu_times.OPTIONS)
    part("finish", finish)
    # What follows `--` is the command of a step.
    given = sys.argv[1:]
    at = given.index("--") if "--" in given else len(given)
    options = parser.parse_args(given[:at])
    if options.part == "step":
        options.command = given[at + 1 :]
    return options


if __name__ == "__main__":
    chosen = arguments()
    sys.exit(chosen.does(chosen))
