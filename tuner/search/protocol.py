"""The protocol of a claimed study, stage by stage.

Search it and probe its sides, round by round; choose and report the winner among its best points and those of its
neighbours; and if the winner does not fit those of the other batch sizes, look again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from tuner.analysis.edges.probes import pending_probes
from tuner.analysis.edges.widening import wider_space
from tuner.analysis.optimum.candidates import MOST_BORROWED, confirmed_scores, own_candidates
from tuner.analysis.optimum.confirmation import candidates, first_runs, pending
from tuner.analysis.optimum.warm_start import second_look_points, warm_points
from tuner.analysis.scaling.curve import scaling_curve
from tuner.analysis.scaling.doubts import are_comparable, doubts
from tuner.experiment import Experiment
from tuner.experiment.space import SearchSpace
from tuner.experiment.workload.bounds import Trainable
from tuner.recorders import Event, StudyFinished, StudyStarted, StudyWaits
from tuner.records import ExperimentRecord, PointRun, Role, Stage, StudyRecord, waits_for
from tuner.search.cutoff import Cutoff
from tuner.search.points import GivenPoints, SearchedPoints
from tuner.search.training import StudyTraining
from tuner.stores import Claim

CHOICE_SLACK = 3.0
"""A choosing trial is cut above so many times the search's best score: its candidate is not the one to choose, and it
would be trained to the end of its budget, often for longer than the whole search. Reporting trials are never cut."""


@dataclass(frozen=True, slots=True)
class StudySearch:
    """The work on one claimed study. The record says what is done already, so the work can begin at any state.

    Attributes:
        training: Trains and stores the trials of the study.
        worker: Who does it, for people.
        studies: All studies of the experiment as they stand: candidates, doubts and a warm start come from them.
    """

    training: StudyTraining
    worker: str
    studies: Callable[[], Sequence[StudyRecord]]

    @property
    def experiment(self) -> Experiment:
        """What the study belongs to."""
        return self.training.experiment

    @property
    def claim(self) -> Claim:
        """The right to work on the study."""
        return self.training.claim

    def started(self, study: StudyRecord) -> Event:
        """See `Session.started`."""
        return StudyStarted(study, self.worker)

    def finish(self, waiting: tuple[int, ...]) -> Event:
        """See `Session.finish`."""
        if waiting:
            return StudyWaits(self.claim.record(), waiting)
        self.claim.complete()
        return StudyFinished(self.claim.record())

    def set_aside(self, *, error: str) -> bool:
        """See `Session.set_aside`."""
        self.claim.set_aside(error=error)
        return True

    def run(self, lanes: int) -> tuple[int, ...]:
        """Go on with the study as far as the other studies of the experiment allow.

        Returns:
            The batch sizes that it has to wait for; running again goes on from here. Empty if the study is done.

        Raises:
            Interrupted: Asked to stop.
            OutOfMemory: The device cannot hold this many lanes; running again goes on from here.
        """
        if not self.experiment.confirmation.neighbours:
            self._search(lanes)
            self._confirm((), lanes)
            return ()
        is_done = False
        while not is_done:
            studies = self.studies()
            study = self.claim.record()
            if waiting := waits_for(study.batch_size, [each.stage_reached for each in studies]):
                return waiting
            is_done = self._pass_stage(study, studies, lanes)
        return ()

    def run_alone(self, trials: int) -> tuple[int, ...]:
        """Go on as `run` does with one lane, for so many trials; raises `AllAlone` then."""
        return replace(self, training=replace(self.training, alone=trials)).run(1)

    def _pass_stage(self, study: StudyRecord, studies: Sequence[StudyRecord], lanes: int) -> bool:
        """Do the work of one stage. Returns whether the study is done."""
        settings = self.experiment.confirmation
        match study.stage:
            case Stage.SEARCH:
                self._search(lanes)
                study = self.claim.record()
                most = len(own_candidates(study, settings)) + MOST_BORROWED
                self._race(study, first_runs(study, settings), racers=most, lanes=lanes)
                self.claim.reach(Stage.CHOOSE)
            case Stage.CHOOSE:
                self._confirm(studies, lanes)
                self.claim.reach(Stage.CONFIRMED)
            case Stage.CONFIRMED:
                if not self._is_in_doubt(study, studies):
                    return True
                self.claim.open_round(study.space, second_look=True)
                self.training.emit(StudyStarted(self.claim.record(), self.worker))
            case Stage.SECOND_LOOK:
                self._search_points(second_look_points(study, studies, settings), lanes)
                self._confirm(studies, lanes)
                return True
        return False

    def _search(self, lanes: int) -> None:
        """Search the space and beyond its sides, in wider rounds as long as the optimum is at an edge."""
        self._search_round(lanes)
        while (space := self._next_space(self.claim.record())) is not None:
            self.claim.open_round(space)
            self.training.emit(StudyStarted(self.claim.record(), self.worker))
            self._search_round(lanes)

    def _next_space(self, study: StudyRecord) -> SearchSpace | None:
        """The space of another round: wider, or the same one if nothing has a score within a smaller budget."""
        budget = self.experiment.goal.at(study.batch_size).within_steps
        if study.incumbent is None and study.longest_limit < budget:
            return study.space
        wider = wider_space(study, max_rounds=self.experiment.search.max_rounds)
        if wider is None:
            return None
        space = self._trainable(study).wider(wider)
        return None if space == study.space else space

    def _search_round(self, lanes: int) -> None:
        """Search what is left of the current round, and beyond its sides."""
        record, settings = self.claim.record(), self.experiment.search
        warm: Sequence[PointRun] = ()
        if settings.warm_start and not record.earlier:
            warm = warm_points(record, self.studies(), self.experiment.confirmation)
        self._search_points(warm, lanes)
        record = self.claim.record()
        trainable, cutoff = self._trainable(record), Cutoff(settings.slack, settings.optimism, record.incumbent)
        planned = pending_probes(record, per_side=settings.probes)
        probes = [each for each in planned if trainable.holds(each.hyperparameters)]
        self.training.train(record, GivenPoints(probes), lanes, cutoff)

    def _trainable(self, study: StudyRecord) -> Trainable:
        """What the workload can train beyond the space of the study."""
        budget = self.experiment.goal.at(study.batch_size).within_steps
        return Trainable(self.training.objective, study.space, study.batch_size, budget)

    def _search_points(self, given: Sequence[PointRun], lanes: int) -> None:
        """Search the points of the current round that are left; `given` ones come first."""
        record, settings = self.claim.record(), self.experiment.search
        points = SearchedPoints(self.experiment, record, warm=given)
        self.training.train(record, points, lanes, Cutoff(settings.slack, settings.optimism, record.incumbent))

    def _is_in_doubt(self, study: StudyRecord, studies: Sequence[StudyRecord]) -> bool:
        """Whether a confirmed study is to be looked at again, since it does not fit the others."""
        if self.experiment.search.second_look_points == 0 or not are_comparable(self.experiment.space):
            return False
        first = ExperimentRecord(self.experiment, tuple(each.first_look for each in studies))
        found = doubts(scaling_curve(first), self.experiment.goal)
        return study.batch_size in [each.batch_size for each in found]

    def _confirm(self, studies: Sequence[StudyRecord], lanes: int) -> None:
        """Choose the winner among the candidates, and report it."""
        study, settings = self.claim.record(), self.experiment.confirmation
        racers = candidates(study, studies, settings)
        while runs := pending(study, racers, settings):
            if runs[0].role is Role.CHOOSE:
                self._race(study, runs, racers=len(racers), lanes=lanes)
            else:
                self.training.train(study, GivenPoints(runs), lanes, Cutoff(), reports=True)
            study = self.claim.record()

    def _race(self, study: StudyRecord, runs: Sequence[PointRun], *, racers: int, lanes: int) -> None:
        """Run seeds that choose the winner; a run that cannot help its candidate any more is cut.

        Args:
            study: As it stands.
            runs: The runs of one heat that have no result.
            racers: How many candidates are in the race.
            lanes: Most lanes.
        """
        cutoff = Cutoff(CHOICE_SLACK, incumbent=study.incumbent)
        if all(each.repeat == 1 for each in runs):  # who is slower than a half stays behind, however slow
            cutoff.keep = (racers + 1) // 2
            first = (each[1] for each in confirmed_scores(study).values() if 1 in each)
            cutoff.ended = sorted(filter(isfinite, first))
        self.training.train(study, GivenPoints(runs), lanes, cutoff)
