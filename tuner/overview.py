"""How far the experiments in a store are, who searches them, and how long that may still take."""

from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.analysis.summary import results
from tuner.recorders import StudyFinished, StudyStarted, TrialFinished
from tuner.recorders.standing import Standings, StudyState, remaining
from tuner.records import ExperimentRecord, ExperimentState, Role, StudyRecord, TrialState
from tuner.stores import Store
from tuner.tables import new_table, steps_of


def read_status(store: Store, name: str | None = None) -> RenderableType:
    """How far an experiment of a store is now, or all are."""
    names = [name] if name else store.names()
    claimed = store.claimed()
    return status_table([store.record(each) for each in names], claimed)


def status_table(records: Sequence[ExperimentRecord], claimed: Set[tuple[str, int]] = frozenset()) -> RenderableType:
    """A row for each study of these experiments.

    Args:
        records: What is known of each.
        claimed: The studies, by experiment and batch size, that are searched now.
    """
    if not records:
        return Text("no experiments yet; `tuner run digits` makes one")
    table = new_table(
        "experiment", "batch size", "round", "state", "trials", "running", "failed", "best", "confirmed", "worker"
    )
    below = []
    for record in records:
        ours = {size for experiment, size in claimed if experiment == record.experiment.name}
        for index, (study, found) in enumerate(zip(record.studies, results(record).studies, strict=True)):
            title = Text(record.experiment.name if index == 0 else "", "bold")
            planned = record.experiment.search.points_by(found.rounds)
            progress = (f"{found.trials.finished}/{planned}", str(found.trials.running or ""))
            state = study_state(record, study, is_claimed=study.batch_size in ours)
            best, confirmed, *_ = steps_of(found)
            where = (str(study.batch_size), str(found.rounds), state)
            counts = (*progress, str(found.trials.failed or ""), best, confirmed)
            table.add_row(title, *where, *counts, _worker(study) if study.batch_size in ours else "")
        below += [_error(record, each) for each in record.studies if each.error]
        if ours:
            below.append(_time_left(record, ours))
    return Group(table, *below)


def study_state(record: ExperimentRecord, study: StudyRecord, *, is_claimed: bool) -> str:
    """What happens to a study, in a word or two."""
    if study.complete:
        return "done"
    if is_claimed:
        return "running"
    if study.error:
        return "set aside"
    if record.state is not ExperimentState.OPEN:
        return str(record.state)
    return "stopped" if study.trials or study.earlier else "waiting"


def standings(record: ExperimentRecord, claimed: Set[int]) -> Standings:
    """Where every study stands, as a display would know it that had watched each since its worker claimed it.

    Args:
        record: What is known of the experiment.
        claimed: The batch sizes that are searched now.
    """
    found = Standings(record.experiment, now=0.0)
    for study in record.studies:
        if study.complete:
            found.apply(StudyFinished(study), now=0.0)
        elif study.batch_size in claimed and study.holder is not None:
            _watch_again(found, study, since=study.holder.since)
        else:
            found.apply(StudyStarted(study, ""), now=0.0)
            is_open = record.state is ExperimentState.OPEN and not study.error
            found.studies[study.batch_size].state = StudyState.WAITING if is_open else StudyState.STOPPED
    return found


def _watch_again(found: Standings, study: StudyRecord, *, since: datetime) -> None:
    """Tell of a study what happened to it since then."""
    ended = [each for each in study.all_trials(*Role) if each.ended is not None and each.ended > since]
    new = sorted((each for each in ended if each.end is not None), key=lambda each: each.ended or since)
    numbers = {(each.round, each.number) for each in new}
    rounds = [
        replace(each, trials=tuple(one for one in each.trials if (one.round, one.number) not in numbers))
        for each in study.rounds
    ]
    found.apply(StudyStarted(replace(rounds[-1], earlier=tuple(rounds[:-1])), ""), now=since.timestamp())
    for each in new:
        now = (each.ended or since).timestamp()
        found.apply(TrialFinished(study.batch_size, each.round, each, ()), now=now)


def _time_left(record: ExperimentRecord, claimed: Set[int]) -> Text:
    left = remaining(standings(record, claimed).time_left())
    return Text(f"{record.experiment.name}: {left}, at the pace since each study was claimed", "dim")


def _worker(study: StudyRecord) -> str:
    """Who searches a study: host and process, device, since when."""
    if study.holder is None:
        return ""
    running = [each.plan.device for each in study.trials if each.state is TrialState.RUNNING]
    device = running[0] if running else study.holder.device
    since = study.holder.since.astimezone()
    day = "" if since.date() == datetime.now(UTC).astimezone().date() else f"{since:%Y-%m-%d} "
    return f"{study.holder.worker}, {device}, since {day}{since:%H:%M:%S}"


def _error(record: ExperimentRecord, study: StudyRecord) -> Text:
    """Why a study was set aside, and what to do."""
    name = record.experiment.name
    advice = "" if record.state is ExperimentState.CANCELLED else f"; tuner resume {name} opens it again"
    return Text(f"{name}, batch size {study.batch_size} was set aside: {study.error}{advice}", "red")
