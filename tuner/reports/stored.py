"""What the Python API returns: the results of an experiment, with the trials and curves that the store holds of it."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

from tuner.analysis import summary
from tuner.analysis.optimum.confirmation import SelectionBias
from tuner.analysis.scaling.doubts import Doubt
from tuner.analysis.summary import Json, StudyResults
from tuner.errors import TunerError
from tuner.experiment import Experiment
from tuner.records import Curve, ExperimentRecord
from tuner.reports.frames import curves_frame, trials_frame
from tuner.reports.rows import Table, optima_table
from tuner.stores.opening import database_at, open_records
from tuner.trial import Value

if TYPE_CHECKING:
    from pandas import DataFrame

    from tuner.reports.drawings import Figures


@dataclass(frozen=True, slots=True)
class Best:
    """The best point of a batch size.

    Attributes:
        steps: Steps to target: the median of the winner over the seeds that report it, infinite if half of them did not
            reach the target; before there is a winner, the steps of the best search trial, which was lucky. None if the
            goal is the best value.
        is_confirmed: Whether it is a winner.
        value: The best value of the goal's metric, likewise, if that is the goal; else None.
    """

    batch_size: int
    hyperparameters: Mapping[str, Value]
    steps: float | None
    is_confirmed: bool
    value: float | None = None


@dataclass(frozen=True, repr=False)
class StoredResults:
    """The results of an experiment as the store held them, complete or not.

    Attributes:
        record: Everything stored but the curves.
        store: The store's URL. May hold a password.
    """

    record: ExperimentRecord
    store: str = field(repr=False)

    @property
    def experiment(self) -> Experiment:
        """What was asked."""
        return self.record.experiment

    @property
    def studies(self) -> tuple[StudyResults, ...]:
        """The results at each batch size, the smallest first."""
        return self._results.studies

    @property
    def at_box_edge(self) -> bool:
        """Whether an optimum lies at an edge of its space."""
        return self._results.at_box_edge

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """The optima that do not fit those of other batch sizes."""
        return self._results.doubts

    @property
    def selection_bias(self) -> SelectionBias | None:
        """How far the searches were biased; None if no study is confirmed."""
        return self._results.selection_bias

    @cached_property
    def trials(self) -> "DataFrame":
        """One row a trial: how it was planned and how it ended, its hyperparameters, and the metrics at its end."""
        return trials_frame(self.record)

    @cached_property
    def curves(self) -> "DataFrame":
        """One row a measurement of a trial, read from the store when it is first asked for.

        Raises:
            StoreError: The store cannot be read, or the experiment has been deleted from it.
        """
        with closing(open_records(self.store)) as opened:
            return curves_frame(opened, self.record)

    @cached_property
    def figures(self) -> "Figures":
        """The figures of the report. Those that need curves read them from the store."""
        from tuner.reports.drawings import Figures  # loads matplotlib
        from tuner.reports.findings import findings

        return Figures(findings(self.record, curves=self._curves))

    def best(self, batch_size: int) -> Best | None:
        """The winner at a batch size, or the best search trial so far; None if no trial has a score.

        Raises:
            TunerError: The experiment has no such batch size.
        """
        studies = {each.batch_size: each for each in self.studies}
        if batch_size not in studies:
            known = ", ".join(map(str, studies))
            raise TunerError(f"{self.experiment.name} has no batch size {batch_size}; it has {known}")
        study = studies[batch_size]
        if study.confirmed is not None:
            return _best(study, study.confirmed.hyperparameters, study.confirmed.score, is_confirmed=True)
        if study.best is not None:
            return _best(study, study.best.plan.hyperparameters, study.best.score, is_confirmed=False)
        return None

    def to_json(self) -> Json:
        """What `tuner results --json` prints; null stands for an infinite number of steps."""
        return self._results.to_json()

    def _curves(self, batch_size: int, round: int) -> Mapping[int, Curve]:
        with closing(open_records(self.store)) as opened:
            return opened.curves(self.experiment.name, batch_size, round=round)

    @cached_property
    def _results(self) -> summary.Results:
        return summary.results(self.record)

    @property
    def _so_far(self) -> str:
        complete = sum(each.complete for each in self.record.studies)
        return f"{complete} of {len(self.record.studies)} batch sizes complete"

    def __repr__(self) -> str:
        return f"<results of {self.experiment.name}: {self._so_far}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the optimum of each batch size."""
        goal = self.experiment.goal
        question = f"{goal.unit.question}, within {goal.budget}; {self._so_far}"
        table = _html(optima_table(self._results))
        return f"<p><b>{escape(self.experiment.name)}</b>: {escape(question)}</p>{table}"


def _best(study: StudyResults, point: Mapping[str, Value], score: float, *, is_confirmed: bool) -> Best:
    """A point and its score, as what it counts."""
    value = study.unit.value(score)
    if study.unit.counts_steps:
        return Best(study.batch_size, point, value, is_confirmed)
    return Best(study.batch_size, point, None, is_confirmed, value)


def stored_results(name: str, store: str) -> StoredResults:
    """The results of an experiment as a store holds them now.

    Raises:
        StoreError: There is no such store, or no such experiment in it.
    """
    with closing(open_records(store)) as opened:
        record = opened.record(name)
    location = database_at(store).location  # which holds even if the process changes its folder later
    return StoredResults(record, location.render_as_string(hide_password=False))


def _html(table: Table) -> str:
    """A table as HTML; the style is left to the page that shows it."""
    heads = "".join(f"<th>{escape(each)}</th>" for each in table.heads)
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table.rows)
    body = "".join(f"<tr>{each}</tr>" for each in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
