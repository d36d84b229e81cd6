"""How many lanes train at once is found while they train, and changes nothing else."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from objectives.data import Splits
from objectives.data.digits import Digits
from objectives.models.mlp import Mlp
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.networks.calibration import CALLS, Calibration, Memory
from objectives.training.trainer import LaneTrainer
from tests.objectives.reference import EASY, curves_in_lanes
from tuner.trial import Measurement, TrialSpec

KEY: dict[str, str | int] = {"model": "Mlp()", "lanes": 8}


class Clock:
    """Stands still until it is told what time has passed."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def calibrated(seconds: dict[int, float], memory: Memory | None = None, *, steps: int = 3) -> tuple[Calibration, int]:
    """A calibration whose choices take so long per step, and how many calls it needs."""
    clock = Clock()
    made = Calibration(list(seconds), memory, clock)
    calls = 0
    while made.chosen is None:
        with made.timed(steps):
            # The first call of each is slow, as first calls are.
            clock.now += steps * seconds[made.at_once] * (100 if calls < len(seconds) else 1)
        calls += 1
    return made, calls


def test_the_fastest_is_chosen_after_each_had_its_turns() -> None:
    made, calls = calibrated({8: 2e-5, 4: 1e-5, 2: 3e-5, 1: 4e-5})

    assert made.at_once == 4
    assert calls == 4 * (CALLS + 1)


def test_slow_choices_get_few_turns() -> None:
    made, calls = calibrated({2: 1.0, 1: 2.0})

    assert made.at_once == 2
    assert calls == 2 * 3


def test_a_single_choice_needs_no_trying() -> None:
    made, calls = calibrated({4: 1.0})

    assert (made.at_once, calls) == (4, 0)


def test_what_was_found_is_known_the_next_time(tmp_path: Path) -> None:
    calibrated({2: 2.0, 1: 1.0}, Memory(KEY, tmp_path))

    made, calls = calibrated({2: 1.0, 1: 2.0}, Memory(KEY, tmp_path))

    assert (made.at_once, calls) == (1, 0)
    assert Memory(KEY | {"lanes": 4}, tmp_path).read() is None


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "null", '{"at_once": 2}', json.dumps({"key": KEY, "at_once": "2"}), "\0" * 9]
)
def test_a_damaged_file_is_as_good_as_none_and_is_replaced(tmp_path: Path, damage: str) -> None:
    memory = Memory(KEY, tmp_path)
    memory.write(2)
    (file,) = tmp_path.iterdir()
    file.write_text(damage)

    assert memory.read() is None
    memory.write(4)
    assert memory.read() == 4
    assert list(tmp_path.iterdir()) == [file]


def test_a_number_that_is_no_choice_is_forgotten(tmp_path: Path) -> None:
    Memory(KEY, tmp_path).write(3)

    assert calibrated({2: 2.0, 1: 1.0}, Memory(KEY, tmp_path))[0].at_once == 1


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    memory = Memory(KEY, tmp_path / "file")

    memory.write(2)

    assert memory.read() is None


def test_files_are_in_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TUNER_CACHE")
    Memory(KEY).write(2)
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "other"))
    Memory(KEY).write(4)

    assert [len(list((tmp_path / name).glob("*.json"))) for name in ("tuner", "other")] == [1, 1]


def wide_trainer(splits: Splits, at_once: int, *, batch_size: int) -> LaneTrainer:
    """Eight lanes of a perceptron too wide for the cache, so many at once."""
    made = LaneTrainer(
        splits,
        Mlp((512, 130)),
        optimizer=HeavyBall(),
        schedule=LinearDecay(),
        batch_size=batch_size,
        lanes=8,
        device="cpu",
    )
    made._networks.calibration.chosen = at_once
    return made


@pytest.mark.parametrize("batch_size", [2, 100])
def test_a_trial_is_the_same_to_the_last_bit_with_any_number_of_lanes_at_once(batch_size: int) -> None:
    def curves(at_once: int) -> Sequence[Sequence[Measurement]]:
        trials = [TrialSpec(seed, EASY) for seed in range(9)]
        return curves_in_lanes(wide_trainer(Digits().load(), at_once, batch_size=batch_size), trials, steps=6)

    expected = curves(1)

    assert all(curves(at_once) == expected for at_once in (2, 4, 8))
