"""What to train with, on each device that was timed: one tree of values."""

from dataclasses import dataclass

from tuner.analysis.practice.choice import Choice, choice
from tuner.analysis.practice.effort import Json, efforts
from tuner.analysis.scaling.curve import ScalingCurve
from tuner.objective import COMPUTED
from tuner.records import ExperimentRecord


@dataclass(frozen=True, slots=True)
class Practice:
    """What to train with.

    Attributes:
        choices: One for each device that was timed, that of the least time first; one of steps if none was.
        unreached: Batch sizes at which the target was not reached.
        price: Of an hour on a device, if it is known.
        may_be_timed: Whether the workload is known to train, which takes time, instead of computing its trials.
    """

    experiment: str
    choices: tuple[Choice, ...]
    unreached: tuple[int, ...]
    price: float | None = None
    may_be_timed: bool = True

    @property
    def is_timed(self) -> bool:
        """Whether a device was timed."""
        return bool(self.choices[0].device)

    @property
    def advice(self) -> str:
        """What to train with, in a sentence for each device."""
        return " ".join(each.advice for each in self.choices)

    def to_json(self) -> Json:
        """The JSON of this question. With a price an hour, also what each way costs."""
        return {
            "advice": self.advice,
            "unreached": list(self.unreached),
            "price_an_hour": self.price,
            "devices": [each.to_json(self.price) for each in self.choices],
        }


def practice(record: ExperimentRecord, curve: ScalingCurve, *, price: float | None = None) -> Practice | None:
    """What to train with to reach the target; None if no batch size reached one.

    Args:
        record: The experiment.
        curve: Its confirmed curve.
        price: Of an hour on a device.
    """
    points = curve.reached()
    if not points or not record.experiment.goal.unit.counts_steps:
        return None
    choices = []
    for device in dict.fromkeys(each.device for each in record.timings):
        timings = {each.batch_size: each for each in record.timings if each.device == device}
        timed = [each for each in points if each.batch_size in timings]
        untimed = tuple(each.batch_size for each in points if each.batch_size not in timings)
        if timed:
            choices.append(choice(efforts(timed, timings, is_exact=curve.is_exact), device=device, untimed=untimed))
    choices.sort(key=lambda each: min(way.pace.value for way in each.ways))
    found = tuple(choices) or (choice(efforts(points, {}, is_exact=curve.is_exact)),)
    may_be_timed = record.experiment.kind not in COMPUTED
    return Practice(record.experiment.name, found, curve.unreached, price, may_be_timed)
