"""A training script as users write them: `script.py RATE BATCH SEED [MANNER [CHECKPOINT]]`. It needs no package."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

DEAF_CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
UNHURRIED = ("deaf", "polite", "parent", "slow")


def report(step: int, **metrics: object) -> None:
    print(json.dumps({"step": step, **metrics}), flush=True)


def fail(manner: str) -> None:
    """What it does instead of training, if it does not train."""
    match manner:
        case "crashes":
            print("loading", "the data", sep="\n", file=sys.stderr)
            raise ValueError("no such file")
        case "full":
            print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 3 GiB", file=sys.stderr)
            sys.exit(1)
        case "silent":
            print("epoch 1", {"step": 1})
            sys.exit(0)
        case "broken":
            print('{"step": 1, "validation/err')
            time.sleep(600)
        case "float step":
            print('{"step": 1.5, "validation/error": 0.5}')
            time.sleep(600)
        case "segfaults":
            os.kill(os.getpid(), signal.SIGSEGV)


def begin(manner: str) -> None:
    """What it does before it trains."""
    match manner:
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case "environment":
            names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
            report(1, visible=[os.environ.get(each) for each in names], arguments=sys.argv[1:])
        case "late":
            time.sleep(3)
        case "parent":
            child = subprocess.Popen([sys.executable, "-S", "-c", DEAF_CHILD], start_new_session=True)
            report(1, child=child.pid)
        case "polite":
            signal.signal(signal.SIGTERM, lambda *_: (print("saving", file=sys.stderr, flush=True), sys.exit(0)))


def main(rate: str, batch: str, seed: str, manner: str = "", checkpoint: str = "", *_: str) -> None:
    """Train, and write a checkpoint after each step if there is a path for it."""
    fail(manner)
    begin(manner)
    step, error = json.loads(Path(checkpoint).read_text()) if checkpoint and Path(checkpoint).exists() else (0, 1.0)
    while step < 10_000:
        step, error = step + 1, error * (1 - float(rate) / 10)
        process = {} if manner == "quiet" else {"process": os.getpid()}
        report(step, **{"validation/error": error}, **process)
        if checkpoint:
            unfinished = Path(checkpoint + ".partial")
            unfinished.write_text("broken" if manner == "cannot resume" else json.dumps([step, error]))
            unfinished.replace(checkpoint)
        if manner == "ends" and step == 3:
            return
        if manner in UNHURRIED:
            time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
