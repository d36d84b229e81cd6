"""What a machine's processor is called."""

import os
import platform
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def processor(cpuinfo: Path = CPUINFO) -> str:
    """The processor's model, with the threads that training has on it: `Intel Xeon Processor (1 thread)`."""
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    return f"{_model(cpuinfo)} ({threads} thread{'s' * (threads != '1')})"


def _model(cpuinfo: Path) -> str:
    """The model as Linux tells it; elsewhere what Python knows of it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        found = None
    told = found[1] if found else platform.processor() or platform.machine() or "CPU"
    return " ".join(re.sub(r"\((R|TM|r|tm)\)|@.*|\bCPU\b", " ", told).split()) or "CPU"
