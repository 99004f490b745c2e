"""Step times of dfrt and of PyTorch eager, in turns: the step `times` of tools/on-gpu.

Every round measures each batch and method by each program, one after the other, the next round in the
opposite order, so that a device that becomes warm or busy is so for all. dfrt is `dfrt bench train`;
PyTorch is one process (peers/arms_pytorch.py), which is idle while dfrt is timed. Rounds go on until
the time is up; what was measured is written after each measurement.
"""

import json
import os
import selectors
import shlex
import statistics
import subprocess
import time
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent / "peers" / "arms_pytorch.py"
MOST_ROUNDS = 3
# Steps of the first round; later rounds fill this many seconds, within these bounds.
FIRST_STEPS, FILL_S, BOUNDS = 10, 2.0, (5, 100)
# The first start of PyTorch may read gigabytes of libraries.
START_S = 90.0

OPTIONS = (
    ("--python", {"required": True, "help": "where it has torch and torchvision, PyTorch is timed"}),
    ("--arch", {"default": "efficientnet-b0"}),
    ("--res", {"type": int, "default": 224}),
    ("--batches", {"default": "32,64"}),
    ("--methods", {"default": "baseline,gr,fast-at:eps=1,at:steps=2"}),
    ("--rounds", {"type": int, "default": MOST_ROUNDS}),
    ("--first-steps", {"type": int, "default": FIRST_STEPS}),
    ("--cpu-threads", {"help": "time PyTorch on the CPU, too, with so many threads"}),
)


class Failure(Exception):
    """A measurement that failed, in one line."""


class OutOfTime(Exception):
    """The time is up."""


class Worker:
    """PyTorch in a process of its own."""

    def __init__(self, python, threads, log, limit):
        # Threads that wait must not take the processor from dfrt.
        environment = os.environ | {"GOMP_SPINCOUNT": "0", "OMP_WAIT_POLICY": "PASSIVE"}
        if threads:
            environment |= {"OMP_NUM_THREADS": threads}
        self.process = subprocess.Popen(
            [python, str(SCRIPT), "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
        self.buffer = b""
        self.about = self.answer(min(limit, START_S))

    def ask(self, request, limit):
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Failure(f"PyTorch ended: {error}") from None
        answer = self.answer(limit)
        if "error" in answer:
            raise Failure(answer["error"])
        return answer

    def answer(self, limit):
        """The next line, as JSON."""
        ends = time.monotonic() + limit
        stdout = self.process.stdout.fileno()
        with selectors.DefaultSelector() as waiting:
            waiting.register(stdout, selectors.EVENT_READ)
            while b"\n" not in self.buffer:
                left = ends - time.monotonic()
                if left <= 0 or not waiting.select(left):
                    self.close()
                    raise OutOfTime(f"PyTorch did not answer within {limit:.0f} s")
                read = os.read(stdout, 1 << 16)
                if not read:
                    raise Failure("PyTorch ended; see logs/times.log")
                self.buffer += read
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def close(self):
        self.process.kill()
        self.process.wait()


def dfrt_step(options, method, batch, steps, log, limit):
    """One `dfrt bench train`."""
    command = [str(options.dfrt), "bench", "train", "--arch", options.arch, "--res", str(options.res)]
    command += ["--batch", str(batch), "--method", method, "--steps", str(steps), "--json"]
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=limit)
    except OSError as error:
        raise Failure(f"dfrt cannot be run: {error}") from None
    except subprocess.TimeoutExpired:
        raise OutOfTime(f"dfrt {method}, batch {batch}, was not done within {limit:.0f} s") from None
    log.write(run.stderr)
    log.flush()
    if run.returncode != 0:
        said = run.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise Failure(f"exit {run.returncode}: {said[-1]}")
    return json.loads(run.stdout)


class Rounds:
    """The measurements of all rounds; written to OUT/times.json after each."""

    def __init__(self, options, worker, reason):
        self.options = options
        self.worker, self.without = worker, reason
        self.batches = [int(batch) for batch in options.batches.split(",")]
        self.methods = options.methods.split(",")
        self.programs = ["dfrt", *(worker.about["precisions"] if worker else [])]
        self.reports = {}
        self.failed = {}
        self.took = {}
        self.rounds = 0

    def keys(self):
        """What a round measures, in its order: (program, method, batch)."""
        return [
            (program, method, batch)
            for batch in self.batches
            for method in self.methods
            for program in self.programs
        ]

    def run(self, ends, log):
        """Goes on until the time is up; returns why it ended before the first round was whole."""
        for index in range(self.options.rounds):
            keys = self.keys()
            for key in keys if index % 2 == 0 else reversed(keys):
                left = ends - time.monotonic()
                expected = self.took.get(key, max(self.took.values(), default=1.0) if index == 0 else 0.0)
                if left < expected:
                    return "the time was up in the first round" if index == 0 else None
                if key in self.failed:
                    continue
                start = time.monotonic()
                try:
                    self.reports.setdefault(key, []).append(self.one(key, left, log))
                except Failure as failure:
                    self.failed[key] = str(failure)
                except OutOfTime as late:
                    return str(late) if index == 0 else None
                self.took[key] = time.monotonic() - start
                self.write()
            self.rounds += 1
            self.write()
        return None

    def one(self, key, left, log):
        program, method, batch = key
        steps = self.options.first_steps
        known = self.reports.get(key)
        if known:
            fill = int(1e3 * FILL_S / known[-1]["step_ms"]["median"])
            steps = max(BOUNDS[0], min(BOUNDS[1], fill))
        if program == "dfrt":
            return dfrt_step(self.options, method, batch, steps, log, left)
        request = {"method": method, "arch": self.options.arch, "res": self.options.res, "batch": batch}
        return self.worker.ask({**request, "precision": program, "steps": steps}, left)

    def write(self):
        """The object `step_times` of on-gpu.json."""
        options = self.options
        rows = [self.row(method, batch) for batch in self.batches for method in self.methods]
        result = {
            "arch": options.arch,
            "res": options.res,
            "rounds": self.rounds,
            "pytorch": self.worker.about if self.worker else None,
            "without_pytorch": self.without,
            "rows": rows,
        }
        (options.out / "times.json").write_text(json.dumps(result, indent=1))

    def row(self, method, batch):
        """A method and batch: each program's figures, and PyTorch's step over dfrt's."""
        row = {"method": method, "batch": batch}
        for program in self.programs:
            key = (program, method, batch)
            name = program if program == "dfrt" else f"pytorch_{program}"
            reports = self.reports.get(key, [])
            if reports:
                row[name] = summary(reports)
            elif key in self.failed:
                row[name] = {"error": self.failed[key]}
        if "step_ms" in row.get("dfrt", {}):
            ours = row["dfrt"]["step_ms"]["median"]
            row["pytorch_over_dfrt"] = {
                name: row[name]["step_ms"]["median"] / ours
                for name in row
                if name.startswith("pytorch_") and "step_ms" in row[name]
            }
            plain = self.reports.get(("dfrt", "baseline", batch))
            if plain:
                row["to_plain_step"] = ours / summary(plain)["step_ms"]["median"]
        return row


def summary(reports):
    """Medians over the rounds, and the round's own medians."""
    median = lambda of: statistics.median(map(of, reports))
    steps = {part: median(lambda report: report["step_ms"][part]) for part in ("median", "p10", "p90")}
    found = {
        "step_ms": {**steps, "of_rounds": [report["step_ms"]["median"] for report in reports]},
        "images_per_second": median(lambda report: report["images_per_second"]),
        "queued_images_per_second": median(lambda report: report["queued_images_per_second"]),
        "first_step_s": reports[0]["first_step_s"],
        "steps": [report["steps"] for report in reports],
    }
    last = reports[-1]
    kept = ("peak_gpu_mb", "idle_share", "dispatches", "traffic_mb", "lower_bound_mb", "gflop", "kernels_for")
    kept += ("layout", "peak_allocated_mb", "peak_reserved_mb")
    return found | {name: last[name] for name in kept if name in last}


def described(options):
    """The command of one measurement of each program, for the report."""
    dfrt = [str(options.dfrt), "bench", "train", "--arch", options.arch, "--res", str(options.res)]
    text = shlex.join(dfrt) + " --batch N --method M --steps K --json"
    return f"{text}; {shlex.join([options.python, str(SCRIPT)])} --serve"


def without(about, options):
    """Why PyTorch is left out; nothing where it is not."""
    if "missing" in about:
        return f"{options.python} has no torch and torchvision ({about['missing']})"
    if about["type"] == "cpu" and not options.cpu_threads:
        return f"the PyTorch of {options.python} has neither CUDA nor MPS"
    return None


def measure(options, ends):
    """Measures until `ends` (monotonic). Returns what failed, why the first round is not whole, and
    why PyTorch was left out."""
    with open(options.out / "logs" / "times.log", "ab") as log:
        worker, reason, failed = None, None, []
        try:
            worker = Worker(options.python, options.cpu_threads, log, (ends - time.monotonic()) / 2)
            reason = without(worker.about, options)
        except (Failure, OutOfTime, OSError) as error:
            reason = str(error)
            failed.append(f"PyTorch could not be started: {error}")
        if worker and reason:
            worker.close()
            worker = None
        rounds = Rounds(options, worker, reason)
        try:
            cut = rounds.run(ends, log)
        finally:
            rounds.write()
            if worker:
                worker.close()
    failed += [f"{program} {method}, batch {batch}: {why}" for (program, method, batch), why in rounds.failed.items()]
    return failed, cut, reason
