"""How studies are searched and confirmed: the tables `[search]` and `[confirmation]` of an experiment's file."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from tuner.experiment.limits.numbers import Ahead, Factor, Lanes, MorePoints, Points, Probes, Repeats, Rounds, Share

FIRST_DEFAULT = "first default"
"""The key of a field's metadata that holds the default of the first version that had the field, if it was another."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How each study is searched.

    Attributes:
        sampler: The sampler's table. It is part of an experiment's digest even at its default, because it had none
            at first.
        points: Points to search at each batch size.
        width: Points in flight at once.
        ask_ahead: Suggestions kept ready beyond those in flight, so that training does not wait for them.
        slack: A trial is cut at `slack` times the fewest steps so far; infinite for never.
        optimism: A trial is cut early if it had to decline this many times more steeply than it does to reach the
            target before its cap (`tuner.experiment.goals.early_stopping`); infinite for never.
        probes: Trials that are run beyond each side of the space that may hide the optimum; 0 for none.
        max_rounds: How many rounds a study may have. While its optimum is at an edge of its space, the next opens with
            that side widened; 1 for never.
        round_points: Points that each later round adds.
        second_look_points: Points of one more round for a study whose confirmed optimum is in doubt, since it does not
            fit those of the other batch sizes (`tuner.analysis.scaling.doubts`); 0 for no such round.
        max_error_share: A study is set aside when more than this share of its last ten trials ended with an error of
            the training code; 1 for never.
        warm_start: Whether a study begins with the optimum of a neighbouring batch size; then it is not independent.
    """

    sampler: Mapping[str, object] = field(default_factory=lambda: {"kind": "tpe"})
    points: Points = 50
    width: Lanes = 8
    ask_ahead: Ahead = 4
    slack: Factor = 2.0
    optimism: Factor = 8.0
    probes: Probes = 4
    max_rounds: Rounds = 4
    round_points: Points = 30
    second_look_points: MorePoints = 12
    max_error_share: Share = 0.5
    warm_start: bool = False

    def points_by(self, round: int, *, second_look: bool = False) -> int:
        """Points that a study has when this round has been searched, which may be the second look."""
        wider = round - 1 - second_look
        return self.points + self.round_points * wider + self.second_look_points * second_look


@dataclass(frozen=True, slots=True)
class ConfirmationSettings:
    """How the winner of a study is chosen and confirmed over fresh seeds.

    Attributes:
        candidates: How many of the study's best points are run again.
        choose_seeds: Most seeds for each. They choose the winner in a race: after every seed but the first, as many
            seeds more as before for the better half of the candidates (`tuner.analysis.optimum.race`).
        report_seeds: Other seeds for the winner, which give the reported number, uncapped.
        neighbours: Whether the best points of the next smaller and the next larger batch size are candidates too. Then
            a study waits for these two before it chooses.
    """

    candidates: Repeats = field(default=6, metadata={FIRST_DEFAULT: 3})
    choose_seeds: Repeats = field(default=4, metadata={FIRST_DEFAULT: 5})
    report_seeds: Repeats = 5
    neighbours: bool = True

    @property
    def choosing(self) -> range:
        """The repeats of a point that choose; repeat 0 is the search's own."""
        return range(1, 1 + self.choose_seeds)

    @property
    def reporting(self) -> range:
        """The repeats of the winner that report it."""
        return range(1 + self.choose_seeds, 1 + self.choose_seeds + self.report_seeds)


def changed_defaults() -> dict[str, tuple[object, object]]:
    """The settings whose default has changed, by their path: the first default and the one of this version.

    >>> changed_defaults()["confirmation.candidates"]
    (3, 6)
    """
    return {
        f"confirmation.{each.name}": (each.metadata[FIRST_DEFAULT], each.default)
        for each in fields(ConfirmationSettings)
        if FIRST_DEFAULT in each.metadata
    }
