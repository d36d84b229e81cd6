"""A training script as users write them: `script.py RATE BATCH SEED [MANNER [CHECKPOINT]]`. It needs no package."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

rate, batch, seed, *rest = sys.argv[1:]
manner, checkpoint = [*rest, "", ""][:2]
step, error = json.loads(Path(checkpoint).read_text()) if checkpoint and Path(checkpoint).exists() else (0, 1.0)


def report(**metrics: object) -> None:
    print(json.dumps({"step": step, **metrics}), flush=True)


def crash() -> None:
    print("loading", "the data", sep="\n", file=sys.stderr)
    raise ValueError("no such file")


match manner:
    case "crashes":
        crash()
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
    case "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    case "environment":
        report(visible=os.environ.get("CUDA_VISIBLE_DEVICES"), arguments=sys.argv[1:])
    case "parent":  # of a child that ignores signals, in a session of its own
        sleep = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-S", "-c", sleep], start_new_session=True)
        report(child=child.pid)
    case "polite":
        signal.signal(signal.SIGTERM, lambda *_: (print("saving", file=sys.stderr, flush=True), sys.exit(0)))

while step < 10_000:
    step, error = step + 1, error * (1 - float(rate) / 10)
    report(**{"validation/error": error, "process": os.getpid()})
    if checkpoint:
        unfinished = Path(checkpoint + ".partial")
        unfinished.write_text("broken" if manner == "cannot resume" else json.dumps([step, error]))
        unfinished.replace(checkpoint)
    if manner == "ends" and step == 3:
        sys.exit(0)
    if manner in ("deaf", "polite", "parent", "slow"):
        time.sleep(0.05)
