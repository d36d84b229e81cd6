"""Commands in processes that have other people's libraries loaded: forked from one that does nothing else.

Loading MLflow, pandas, SQLAlchemy and matplotlib takes most commands longer than their work. What is ours, `tuner` and
`objectives`, is loaded anew by each. How commands start by themselves is seen where `commands.started` starts them.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.libraries"])
    return context


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], *, seconds: float
) -> "subprocess.CompletedProcess[str]":
    """Run the command line in a folder, as `python -m tuner` does.

    Raises:
        subprocess.TimeoutExpired: It took too long.
    """
    command = ["tuner", *arguments]
    with tempfile.TemporaryDirectory() as said:
        files = [str(Path(said, name)) for name in ("stdout", "stderr")]
        process = _context().Process(target=_command, args=(command, str(folder), dict(environment), files))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, seconds)
        return subprocess.CompletedProcess(command, process.exitcode, *(Path(each).read_text() for each in files))


def _command(command: list[str], folder: str, environment: Mapping[str, str], files: Sequence[str]) -> None:
    """The life of the process. What it says goes to files."""
    for number, file in enumerate(files, start=1):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ |= environment
    os.chdir(folder)
    sys.argv, sys.path[0:0] = command, [folder]
    try:
        runpy.run_module("tuner", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
