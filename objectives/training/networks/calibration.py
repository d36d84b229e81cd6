"""How many lanes are trained at once: the fastest number, found while they train and remembered for the next time.

What a lane computes does not depend on what is trained beside it, so the choice changes no result. No step is wasted.
"""

import hashlib
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

CALLS = 9
"""Of each number that are timed; the median counts. The first, which warms up, does not."""
FEW_CALLS = 2
ENOUGH = 0.1
"""Seconds after which few calls will do."""


class Memory:
    """A number of lanes that was found the fastest, in a file of its own below the user's cache folder.

    A file that is missing, damaged or about something else is as good as none, and one that cannot be written is not:
    then the number is found again.

    Args:
        key: Everything it may depend on.
        folder: Where the files are; by default what `TUNER_CACHE` names, or `tuner` below `XDG_CACHE_HOME`.
    """

    def __init__(self, key: Mapping[str, str | int], folder: Path | None = None) -> None:
        self._key = dict(key)
        name = hashlib.sha256(json.dumps(self._key, sort_keys=True).encode()).hexdigest()[:20]
        self._path = (folder or _cache_folder()) / f"{name}.json"

    def read(self) -> int | None:
        """The number, if it is known."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            at_once = found["at_once"] if found["key"] == self._key else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return at_once if isinstance(at_once, int) else None

    def write(self, at_once: int) -> None:
        """Remember a number. Others may write at the same time: the last one stays."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=self._path.parent, suffix=".new", delete=False
            ) as file:
                json.dump({"key": self._key, "at_once": at_once}, file, indent=2)
            Path(file.name).replace(self._path)
        except OSError as error:
            log.debug("%s is not remembered: %s", self._path, error)


class Calibration:
    """Which of some numbers of lanes at once is the fastest.

    Args:
        choices: The numbers.
        memory: Where the answer may be known from, and is kept.
        clock: Seconds.
    """

    def __init__(
        self, choices: Sequence[int], memory: Memory | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._memory, self._clock = memory, clock
        known = choices[0] if len(choices) == 1 else memory.read() if memory else None
        self.chosen = known if known in choices else None
        """The answer, as soon as there is one."""
        self._times: dict[int, list[float]] = {each: [] for each in choices}
        """Seconds per step."""
        self._spent = dict.fromkeys(choices, 0.0)

    @property
    def at_once(self) -> int:
        """How many to train at once next: the answer, or whichever has been timed the fewest times."""
        if self.chosen is not None:
            return self.chosen
        return min((each for each in self._times if not self._is_timed(each)), key=lambda each: len(self._times[each]))

    @contextmanager
    def timed(self, steps: int) -> Iterator[None]:
        """Times some steps of all lanes, trained as many at once as it says."""
        at_once, start = self.at_once, self._clock()
        yield
        if self.chosen is not None:
            return
        taken = self._clock() - start
        self._times[at_once].append(taken / steps)
        self._spent[at_once] += taken
        if all(map(self._is_timed, self._times)):
            self.chosen = min(self._times, key=lambda each: statistics.median(self._times[each][1:]))
            if self._memory:
                self._memory.write(self.chosen)

    def _is_timed(self, at_once: int) -> bool:
        calls = len(self._times[at_once]) - 1
        return calls >= CALLS or (calls >= FEW_CALLS and self._spent[at_once] >= ENOUGH)


def _cache_folder() -> Path:
    if folder := os.environ.get("TUNER_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuner"
