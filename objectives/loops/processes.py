"""A training script in a process of its own, which prints a JSON object a line for each measurement."""

import os
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from objectives.loops.lines import EXAMPLE, BrokenLine, measurement_in
from objectives.loops.logs import TrialLog
from objectives.loops.trainer import ended_early
from tuner.errors import OutOfMemory
from tuner.guard import NOT_STARTED, SIGNALLED, guarded
from tuner.trial import Failure, Measurement

CHUNK = 65536
PATIENCE = 1.0
"""Seconds that a measurement is waited for at a time: in between, the worker may be told to stop."""
FULL = ("OutOfMemoryError", "CUDA out of memory", "CUDA error: out of memory", "RESOURCE_EXHAUSTED", "MemoryError")
"""What a script's standard error says if memory is full, in PyTorch, JAX, TensorFlow or Python."""


class ProcessLoop:
    """Implements `Loop` by a process, which begins at once and runs ahead of what is asked for.

    How far ahead is limited by what a pipe holds: a script that prints more waits.

    Args:
        fill: The command, given the path of the trial's checkpoint.
        environment: Variables beside those of this process.
        log_name: The file of its log.
        grace: Seconds from SIGTERM to SIGKILL.
        max_steps: The budget, for messages.
        state: The content of its checkpoint.
        has_states: Whether the script is told where its checkpoint is.
    """

    def __init__(
        self,
        fill: Callable[[Path], Sequence[str]],
        *,
        environment: Mapping[str, str],
        log_name: str,
        grace: float,
        max_steps: int | None,
        state: bytes = b"",
        has_states: bool = False,
    ) -> None:
        self._grace, self._max_steps, self._has_states = grace, max_steps, has_states
        self._folder = Path(tempfile.mkdtemp(prefix="tuner-trial-"))
        self._checkpoint = self._folder / "checkpoint"
        if state:
            self._checkpoint.write_bytes(state)
        command = fill(self._checkpoint)
        self._process = subprocess.Popen(  # noqa: S603 - the command of the experiment's file, without a shell
            guarded(command, grace=grace, folder=str(self._folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            start_new_session=True,  # Ctrl-C is for the worker
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._word, self._output = self._process.stdin, self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._log = TrialLog(log_name, self._process.stderr)
        self._log.write(f"$ {shlex.join(command)}\n".encode())
        self._rest, self._has_ended, self._step = b"", False, 0
        self._ahead: deque[Measurement] = deque()
        self._broken: BrokenLine | None = None

    def next(self) -> Measurement | Failure | None:
        until = time.monotonic() + PATIENCE
        while not self._ahead and self._broken is None:
            if self._has_ended:
                return self._failure()
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._output], [], [], left)[0]:
                return None
            self._read()
        if not self._ahead:
            return Failure(str(self._broken))
        self._step = self._ahead[0].step
        return self._ahead.popleft()

    def save(self) -> tuple[bytes, Sequence[Measurement]]:
        """See `Loop.save`. What was printed before the checkpoint was written has been read when this returns."""
        if not self._has_states:
            raise NotImplementedError
        state = b""
        with suppress(FileNotFoundError):
            state = self._checkpoint.read_bytes()
        while self._read():
            pass
        return state, tuple(self._ahead)

    def stop(self) -> None:
        with suppress(OSError):  # it has ended
            self._word.write(b"\n")
        self._word.close()

    def close(self) -> None:
        if not self._word.closed:
            self.stop()
        try:
            self._process.wait(timeout=self._grace + 10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._output.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self) -> bool:
        """Take what has been printed. Returns whether there was something. Raises `ContractError`."""
        try:
            read = os.read(self._output.fileno(), CHUNK)
        except BlockingIOError:
            return False
        self._has_ended = not read
        *lines, self._rest = (self._rest + (read or b"\n")).split(b"\n")
        for line in lines:
            try:
                found = measurement_in(line.decode(errors="replace"))
            except BrokenLine as error:
                self._broken = self._broken or error
                continue
            if found is None and (line or read):
                self._log.write(line + b"\n")
            elif found is not None and self._broken is None:
                self._ahead.append(found)
        return bool(read)

    def _failure(self) -> Failure:
        """Why the process ended. Raises `OutOfMemory`."""
        code = self._process.wait()
        errors = self._log.last_errors()
        last = errors[-1] if errors else ""
        if code == 0:
            hint = "" if self._step else f"; it has to print measurements as lines like {EXAMPLE}"
            return Failure(ended_early("the command", self._step, self._max_steps) + hint, "\n".join(errors))
        if any(each in line for line in errors for each in FULL):
            raise OutOfMemory(last)
        reason = last if code == NOT_STARTED else f"the command {_ending(code)}: {last}".rstrip(": ")
        return Failure(reason, "\n".join(errors))


def _ending(code: int) -> str:
    """How a process ended that did not end well.

    >>> _ending(1), _ending(139)
    ('ended with exit code 1', 'was ended by SIGSEGV')
    """
    try:
        return f"was ended by {signal.Signals(code - SIGNALLED).name}"
    except ValueError:
        return f"ended with exit code {code}"
