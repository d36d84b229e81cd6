"""How many lanes are trained at once: the fastest number, timed during training and kept in a file.

What a lane computes does not depend on its neighbours. So the choice changes no result, and no step is wasted.
"""

import hashlib
import json
import logging
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from objectives.data.cache.folder import cache_folder, write_whole

log = logging.getLogger(__name__)

CALLS = 9
"""Calls that are timed for each number of lanes. The median counts; a first call, which warms up, does not."""
FEW_CALLS = 2
"""Calls that are enough when they take long."""
ENOUGH = 0.1
"""Seconds of calls from which on `FEW_CALLS` are enough."""


class Memory:
    """The fastest number of lanes, in a file in the user's cache folder. Each key has its own file.

    If the file is missing, damaged or belongs to another key, the number counts as unknown and is timed again. If the
    file cannot be written, training goes on without it.

    Args:
        key: Everything that the number may depend on.
        folder: Where the files are; by default what `TUNER_CACHE` names, or `tuner` below `XDG_CACHE_HOME`.
    """

    def __init__(self, key: Mapping[str, str | int], folder: Path | None = None) -> None:
        self._key = dict(key)
        name = hashlib.sha256(json.dumps(self._key, sort_keys=True).encode()).hexdigest()[:20]
        self._path = (folder or cache_folder()) / f"{name}.json"

    def read(self) -> int | None:
        """The number, or None if it is unknown."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            at_once = found["at_once"] if found["key"] == self._key else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return at_once if isinstance(at_once, int) else None

    def write(self, at_once: int) -> None:
        """Keep a number. If several processes write at the same time, the last one wins."""
        try:
            content = json.dumps({"key": self._key, "at_once": at_once}, indent=2).encode()
            write_whole(self._path, lambda file: file.write(content))
        except OSError as error:
            log.debug("%s is not remembered: %s", self._path, error)


class Calibration:
    """Finds the fastest number of lanes to train at once.

    Args:
        choices: The numbers to choose from.
        memory: Where an earlier answer is read and the new answer is kept.
        clock: The time in seconds.
    """

    def __init__(
        self, choices: Sequence[int], memory: Memory | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._memory, self._clock = memory, clock
        known = choices[0] if len(choices) == 1 else memory.read() if memory else None
        self.chosen = known if known in choices else None
        """The fastest number; None until it is known."""
        self._times: dict[int, list[float]] = {each: [] for each in choices}
        """Seconds per step of each timed call."""
        self._spent = dict.fromkeys(choices, 0.0)

    @property
    def at_once(self) -> int:
        """The number of lanes to train at once next: the fastest, or the number that was timed least often."""
        if self.chosen is not None:
            return self.chosen
        return min((each for each in self._times if not self._is_timed(each)), key=lambda each: len(self._times[each]))

    @contextmanager
    def timed(self, steps: int) -> Iterator[None]:
        """Times steps of all lanes, trained `at_once` at a time."""
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
