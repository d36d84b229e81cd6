"""Work that is done in a fork of the process, of programs that have no other threads, as the commands."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands import lives
from tuner.service.cores import cores

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or cores() < 2, reason="forks are made on Linux, with two cores"
)


def said(program: str) -> str:
    """What a program prints that may call `aside`."""
    text = f"import os, signal, threading, time\nfrom tuner.service.cores import aside\n{program}"
    return subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True).stdout.strip()


def test_it_is_done_elsewhere_and_begins_at_once() -> None:
    assert (
        said("""
began = time.perf_counter()
where = aside(lambda: (os.getpid(), time.sleep(1.0)))
time.sleep(1.0)
print(where()[0] != os.getpid(), where() == where(), time.perf_counter() - began < 1.9)
""")
        == "True True True"
    )


def test_what_it_raises_is_raised_where_the_result_is_asked_for() -> None:
    assert (
        said("""
work = aside(lambda: {}["missing"])
try:
    work()
except KeyError as error:
    print(error)
""")
        == "'missing'"
    )


def test_what_was_killed_is_done_here() -> None:
    assert (
        said("""
here = os.getpid()
def work():
    if os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"
print(aside(work)())
""")
        == "done"
    )


def test_beside_other_threads_it_is_done_here() -> None:
    assert (
        said("""
threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
print(aside(os.getpid)() == os.getpid())
""")
        == "True"
    )


def test_what_the_program_has_printed_is_printed_once() -> None:
    assert said("print('once', end=' '); aside(os.getpid)(); print('only')") == "once only"


def test_it_ends_with_the_program(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    program = f"""
import os, signal, time
from pathlib import Path
from tuner.service.cores import aside
def work():
    Path({str(noted)!r}).write_text(str(os.getpid()))
    time.sleep(60)
aside(work)
while not Path({str(noted)!r}).exists() or not Path({str(noted)!r}).read_text():
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], check=False)
    deadline = time.monotonic() + 10
    while lives(int(noted.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert not lives(int(noted.read_text()))
