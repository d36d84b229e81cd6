"""Processes decode images, and all end when one of them fails."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from objectives.data.images import crew, decoder
from tuner.errors import ConfigError

JOBS = 200 * crew.AT_ONCE


@dataclass
class Child:
    """Stands in for a process that decodes. The first of all tasks is an image that cannot be read, if it `fails`."""

    fails: bool = False
    answered: int = 0
    tasks: list[str] = field(default_factory=list)

    @property
    def stdin(self) -> "Child":
        return self

    @property
    def stdout(self) -> "Child":
        return self

    def write(self, task: str) -> None:
        self.tasks.append(task)

    def flush(self) -> None:
        pass

    def readline(self) -> str:
        time.sleep(0.002)
        self.answered += 1
        if self.fails:
            return json.dumps({"failure": "broken.png cannot be read"})
        return json.dumps({"counts": np.ones((decoder.CHANNELS, decoder.LEVELS), np.int64).tolist()})


@pytest.mark.parametrize("broken", [0, 3])
def test_an_image_that_cannot_be_read_is_told_at_once(broken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    children = [Child(fails=number == broken) for number in range(4)]

    @contextmanager
    def started(command: Sequence[str], many: int) -> Iterator[list[Child]]:
        yield children

    monkeypatch.setattr(crew, "_started", started)
    monkeypatch.setattr(crew, "_cores", lambda: len(children))
    jobs = [(f"{each}.png", each, False) for each in range(JOBS)]

    with pytest.raises(ConfigError, match=r"broken\.png cannot be read"):
        crew.decode(jobs, file=Path("images"), offset=0, side=8, what="images")

    assert sum(each.answered for each in children) < 100
