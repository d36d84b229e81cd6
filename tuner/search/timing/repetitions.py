"""Seconds of a training step, measured several times after a warm-up: without measuring where the trainer can do that.

The first steps are slower than all others: libraries choose their kernels, graphs are recorded, memory is allocated.
"""

from collections.abc import Callable

from tuner.errors import TunerError
from tuner.objective import TimesSteps, Trainer
from tuner.search.contract import MeasurementCheck
from tuner.trial import Failure, TrialSpec

WARM_UP_SECONDS = 0.2
"""Steps are warm when so many of them, twice as many each time, have taken as long as this at once."""
REPETITIONS, FEWEST = 7, 3
"""How often the time of a step is measured, and how often at least, where that takes long."""
REPETITION_SECONDS = 0.15
"""As many steps are timed at once as take this long."""
LONG_SECONDS = 4.0
"""A repetition that takes longer is not repeated more than `FEWEST` times; a trial is stopped when it has taken it."""


def step_seconds(trainer: TimesSteps) -> tuple[float, ...]:
    """Seconds of a step in each repetition, of the trial that is loaded.

    Raises:
        NotImplementedError: The trainer cannot train without measuring.
    """
    steps, spent = 1, trainer.time_steps(1)
    first = True
    while first or spent < WARM_UP_SECONDS:
        steps = 1 if first else 2 * steps
        spent, first = trainer.time_steps(steps), False
    steps = max(1, round(steps * REPETITION_SECONDS / spent))
    many = REPETITIONS if spent / WARM_UP_SECONDS * REPETITION_SECONDS < LONG_SECONDS else FEWEST
    return tuple(trainer.time_steps(steps) / steps for _ in range(many))


def trial_seconds(
    trainer: Trainer, trial: TrialSpec, *, steps: int, check: MeasurementCheck, clock: Callable[[], float]
) -> tuple[float, ...]:
    """Seconds of a step in each of several runs of a trial, from its first measurement on, with its measurements.

    Args:
        trainer: With a free lane 0.
        trial: What is trained.
        steps: A run is over at this step, or after `LONG_SECONDS`.
        check: Of what the trainer measures.
        clock: Seconds.

    Raises:
        TunerError: The trial failed before its second measurement, or measured what is no measurement.
    """
    found: list[float] = []
    while len(found) < REPETITIONS:
        began = clock()
        trainer.load(0, trial)
        found.append(_run(trainer, steps, check, clock))
        trainer.unload(0)
        if len(found) >= FEWEST and clock() - began > LONG_SECONDS / REPETITIONS:
            break
    return tuple(found)


def _run(trainer: Trainer, steps: int, check: MeasurementCheck, clock: Callable[[], float]) -> float:
    """Seconds of a step in one run of the trial in lane 0. Raises `TunerError`."""
    first: tuple[int, float] | None = None
    step, now = 0, clock()
    while first is None or step == first[0] or (step < steps and now - first[1] < LONG_SECONDS):
        measured = trainer.advance().get(0, ())
        for each in measured:
            if isinstance(each, Failure):
                if first is not None and step > first[0]:
                    return (now - first[1]) / (step - first[0])
                raise TunerError(f"its trial ended before its second measurement: {each.reason}")
            step = check(each, after=step).step
        if measured:  # else a script has to be waited for
            now = clock()
            first = first or (step, now)
    return (now - first[1]) / (step - first[0])
