"""The logs of scripts: what they print besides measurements, and their standard error."""

import logging
import os
import threading
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

FOLDER, DEFAULT = "TUNER_LOGS", "runs/logs"
"""The environment variable that names the folder of the logs, and where that is by default."""
TAIL_BYTES, TAIL_LINES = 8192, 20
"""How much of the standard error is shown if a script fails."""


class TrialLog:
    """The log of one trial, to which it is added if there is one: a trial that goes on writes on.

    If it cannot be written, that is logged, and the trial goes on without.

    Args:
        name: The file's name.
        errors: The script's standard error, which is read on a thread until it ends.
    """

    def __init__(self, name: str, errors: IO[bytes]) -> None:
        self._errors, self._tail = errors, b""
        self._file: IO[bytes] | None = None
        folder = Path(os.environ.get(FOLDER, DEFAULT))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / name).open("ab", buffering=0)
        except OSError as error:
            log.warning("the log %s cannot be written: %s", folder / name, error.strerror)
        self._thread = threading.Thread(target=self._follow, name=f"log {name}", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Add a line."""
        if self._file is not None:
            try:
                self._file.write(line)
            except OSError as error:  # the disk is full
                log.warning("a log cannot be written: %s", error.strerror)
                self._file = None

    def last_errors(self) -> list[str]:
        """The last lines of the standard error, after the script has ended."""
        self._thread.join(timeout=10)
        return self._tail.decode(errors="replace").replace("\r", "\n").rstrip().splitlines()[-TAIL_LINES:]

    def close(self) -> None:
        self._thread.join(timeout=10)
        self._errors.close()
        if self._file is not None:
            self._file.close()

    def _follow(self) -> None:
        """On the thread: read until the end."""
        while read := os.read(self._errors.fileno(), TAIL_BYTES):
            self._tail = (self._tail + read)[-TAIL_BYTES:]
            self.write(read)
