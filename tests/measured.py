"""What trainers measure, for tests in which no trial may fail."""

from collections.abc import Sequence

from tuner.objective import Trainer
from tuner.trial import Failure, Measurement


def measurements(found: Sequence[Measurement | Failure]) -> list[Measurement]:
    """The measurements of a lane; the test fails if its trial did."""
    assert not [each for each in found if isinstance(each, Failure)]
    return [each for each in found if isinstance(each, Measurement)]


def advanced(trainer: Trainer) -> dict[int, list[Measurement]]:
    """What every lane measures in one advance."""
    return {lane: measurements(found) for lane, found in trainer.advance().items()}
