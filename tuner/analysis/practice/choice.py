"""What to train with on one device: the batch sizes that are worth it, and advice in a sentence.

The fewest examples and the least time cannot be had at once. McCandlish et al. 2018 (arXiv 1812.06162) weigh both
alike, which leads to the critical batch size where steps follow their curve. Here, whatever the curve, the batch size
of the least product of time and examples is advised, if it is certain to be sooner than that of the fewest examples.
"""

from dataclasses import dataclass

from tuner.analysis.optimum.intervals import PERCENT
from tuner.analysis.practice.effort import Amount, Efforts, Json, Way
from tuner.analysis.practice.front import front


@dataclass(frozen=True, slots=True)
class Choice:
    """The batch sizes that one may train with, on one device.

    Attributes:
        device: Its name; empty if nothing was timed, and steps stand for the time.
        ways: Those that reach the target; the smallest batch size first.
        worth: Batch sizes for which no other is as soon done with as few examples.
        cheapest: The batch size with the fewest examples.
        advised: That of the least product of time and examples.
        faster: What the cheapest is compared with: the advised one or, if that is the cheapest, the soonest; None if
            none is certain to be sooner.
        sooner, dearer: How many times sooner the faster one is, and how many times the examples it takes.
        enough: The smallest batch size, from the faster one on, than which no larger one is certain to be sooner.
        has_measuring: Whether times hold the time of measuring.
        untimed: Batch sizes that reach the target, and were not timed on this device.
        why_no_interval: Within a sentence; empty if numbers have intervals over seeds.
    """

    device: str
    ways: tuple[Way, ...]
    worth: tuple[int, ...]
    cheapest: int
    advised: int
    faster: int | None
    sooner: Amount | None
    dearer: Amount | None
    enough: int
    has_measuring: bool = False
    untimed: tuple[int, ...] = ()
    why_no_interval: str = ""

    @property
    def way(self) -> Way:
        """What is advised."""
        return next(each for each in self.ways if each.batch_size == self.advised)

    @property
    def advice(self) -> str:
        """What to train with, in a sentence."""
        where = f"On this {self.device}, batch" if self.device else "Batch"
        untimed = f" (not timed there: {', '.join(f'{each:,}' for each in self.untimed)})" if self.untimed else ""
        if len(self.ways) == 1:
            only = "the only one timed of those that reach" if self.untimed else "the only one known to reach"
            return f"{where} size {self.advised:,} is {only} the target{untimed}."
        return f"{where} size {self._compared}{untimed}."

    @property
    def certainty(self) -> str:
        """How certain the numbers of the advice are, in a sentence; empty if it has none."""
        if self.why_no_interval:
            return f"Steps: {self.why_no_interval}."
        if self.faster is None or self.sooner is None or self.dearer is None:
            return ""
        what = f"{self.sooner.phrase} {'sooner' if self.device else 'fewer steps'}"
        does = f"batch size {self.faster:,} {'is' if self.device else 'takes'} {what} than {self.cheapest:,}"
        repetitions = " and over repetitions of the timing" if self.device else ""
        return f"With {PERCENT} confidence over seeds{repetitions} {does}, for {self.dearer.phrase} the examples."

    @property
    def _compared(self) -> str:
        """The batch size with the fewest examples beside one that is faster, and where larger ones stop to help."""
        fewest = f"{self.cheapest:,} reaches the target with the fewest examples"
        if self.faster is None or self.sooner is None or self.dearer is None:
            return f"{fewest}, and no other {self._surely('sooner', 'fewer steps')}"
        sooner, dearer = f"{self.sooner.value:.2g} times", f"{self.dearer.value:.2g} times"
        if self.advised == self.cheapest:
            does = f"is {sooner} sooner" if self.device else f"takes {sooner} fewer steps"
            return f"{fewest}; {self.faster:,} {does} for {dearer} as many; {self._end}"
        does = f"reaches the target {sooner} sooner" if self.device else f"takes {sooner} fewer steps to the target"
        return f"{self.faster:,} {does} than {self.cheapest:,} for {dearer} the examples; {self._end}"

    @property
    def _end(self) -> str:
        """Where larger batch sizes stop to help."""
        largest = self.ways[-1].batch_size
        if self.enough < largest:
            return f"none beyond {self.enough:,} {self._surely('sooner still', 'fewer still')}"
        last = "the largest that was timed" if self.untimed else "the largest that reaches it"
        if self.faster == largest:
            return f"it is {last}"
        return f"{'time still falls' if self.device else 'steps still fall'} up to {largest:,}, {last}"

    def _surely(self, sooner: str, fewer: str) -> str:
        """What another batch size is not, no stronger than seeds tell."""
        if self.why_no_interval:
            return f"is {sooner}" if self.device else f"takes {fewer}"
        return f"is certain to {f'be {sooner}' if self.device else f'take {fewer}'}"

    def to_json(self, price: float | None = None) -> Json:
        """One entry of `devices`."""
        return {
            "device": self.device or None,
            "advice": self.advice,
            "advised": self.advised,
            "cheapest": self.cheapest,
            "faster": self.faster,
            "sooner": None if self.sooner is None else self.sooner.to_json(),
            "dearer": None if self.dearer is None else self.dearer.to_json(),
            "enough": self.enough,
            "worth": list(self.worth),
            "has_measuring": self.has_measuring,
            "untimed": list(self.untimed),
            "ways": [each.to_json(price) for each in self.ways],
        }


def choice(found: Efforts, *, device: str = "", untimed: tuple[int, ...] = ()) -> Choice:
    """What to train with, of at least one way. Of batch sizes that are equally good, the smallest is named."""
    ways, order = found.ways, range(len(found.ways))
    paces, examples = [each.pace.value for each in ways], [each.examples.value for each in ways]
    cheapest = min(order, key=lambda each: (examples[each], paces[each]))
    certain = [each for each in order if found.sooner(each, cheapest).low > 1]
    advised = min([cheapest, *certain], key=lambda each: paces[each] * examples[each])
    faster = advised if advised != cheapest else min(certain, key=paces.__getitem__, default=None)
    beyond = order[cheapest if faster is None else faster :]
    enough = next(each for each in beyond if all(found.sooner(other, each).low <= 1 for other in order[each + 1 :]))
    return Choice(
        device=device,
        ways=ways,
        worth=tuple(ways[each].batch_size for each in front(list(zip(paces, examples, strict=True)))),
        cheapest=ways[cheapest].batch_size,
        advised=ways[advised].batch_size,
        faster=None if faster is None else ways[faster].batch_size,
        sooner=None if faster is None else found.sooner(faster, cheapest),
        dearer=None if faster is None else found.dearer(faster, cheapest),
        enough=ways[enough].batch_size,
        has_measuring=any(each.timing is not None and each.timing.has_measuring for each in ways),
        untimed=untimed,
        why_no_interval=found.why_no_interval,
    )
