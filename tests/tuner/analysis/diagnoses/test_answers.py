"""What has been measured at the optima is put together by batch size, and told with what is not known."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.tuner.synthetic import digits, ended, experiment_record, trial
from tuner.analysis.diagnoses.answers import Diagnoses, diagnoses
from tuner.analysis.diagnoses.points import optima_of, wanted_diagnoses
from tuner.analysis.diagnoses.studies import Spread, StudyDiagnosis
from tuner.analysis.scaling.curve import ScalingFit
from tuner.errors import TunerError
from tuner.objective.diagnostics import Diagnostic, deviation, eigenvalue
from tuner.records import DIAGNOSES_FROM, Curve, ExperimentRecord, PointRun, Role
from tuner.reports.figures.diagnoses import draw_noise
from tuner.reports.findings import findings
from tuner.reports.sections.diagnoses import diagnoses_section
from tuner.trial import Measurement, Outcome

SIZES = (8, 32, 128, 512)
SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def searched() -> ExperimentRecord:
    """A complete experiment."""
    return experiment_record(digits(batch_sizes=list(SIZES)))


def measured(batch_size: int, seed: int) -> dict[str, float]:
    """Sharpness and noise scale that grow with the root of the batch size, by 10 % more for each seed."""
    value = math.sqrt(batch_size) * 1.1**seed
    noise: dict[str, float] = {} if (batch_size, seed) == (512, 3) else {Diagnostic.NOISE_SCALE: 20 * value}
    return {
        Diagnostic.SHARPNESS: value,
        eigenvalue(1): 2 * value,
        Diagnostic.SQUARED_GRADIENT: 0.5,
        deviation(16): 4.0,
        deviation(64): 2.0,
        Diagnostic.DISTANCE: 3.0,
        **noise,
    }


def curve(batch_size: int, seed: int) -> Curve:
    """Seven measurements; the fourth and the last looked closely."""
    steps = [1, 2, 3, 4, 8, 16, 32]
    close = {4: measured(batch_size, seed), 32: measured(batch_size, seed)}
    return tuple(Measurement(step, {**close.get(step, {}), Diagnostic.DISTANCE: 2 + math.log(step)}) for step in steps)


@pytest.fixture(scope="module")
def seen(searched: ExperimentRecord) -> ExperimentRecord:
    """The experiment after its optima have been looked at; one seed of the largest batch size misses the target."""
    studies = []
    wanted = wanted_diagnoses(searched)
    for study in searched.studies:
        new = []
        for number, run in enumerate(wanted[study.batch_size], start=len(study.trials)):
            end = ended(30)
            new.append(trial(number, replace(end, final=measured(study.batch_size, run.repeat)), run=run))
        if study.batch_size == 128:
            new[0] = trial(new[0].number, ended(4000, outcome=Outcome.CENSORED), run=wanted[128][0])
        studies.append(replace(study, trials=(*study.trials, *new)))
    return replace(searched, studies=tuple(studies))


class Curves:
    """The curves of the trials that look closely."""

    def __init__(self, record: ExperimentRecord) -> None:
        self._record = record

    def __call__(self, batch_size: int, round: int) -> Mapping[int, Curve]:
        study = next(each for each in self._record.studies if each.batch_size == batch_size)
        return {each.number: curve(batch_size, each.plan.repeat) for each in study.finished(Role.DIAGNOSE)}


def test_each_optimum_is_wanted_on_fresh_seeds_and_another_winner_is_another_point(searched: ExperimentRecord) -> None:
    wanted = wanted_diagnoses(searched, 2)

    for study, optimum in optima_of(searched):
        assert wanted[study.batch_size] == tuple(
            PointRun(DIAGNOSES_FROM + optimum.point, repeat, Role.DIAGNOSE, optimum.hyperparameters)
            for repeat in (1, 2)
        )


def test_an_experiment_without_an_optimum_is_refused(searched: ExperimentRecord) -> None:
    open_ones = tuple(replace(each, complete=False) for each in searched.studies)

    with pytest.raises(TunerError, match="digits has no complete batch size with a confirmed optimum; `tuner run`"):
        wanted_diagnoses(replace(searched, studies=open_ones))


def test_nothing_is_told_before_anything_was_looked_at(searched: ExperimentRecord) -> None:
    assert diagnoses(searched) is None
    assert diagnoses_section(findings(searched)) is None


def test_medians_and_ranges_are_over_the_seeds_that_got_there(seen: ExperimentRecord) -> None:
    found = diagnoses(seen)

    assert found is not None
    assert [(each.batch_size, each.seeds, each.missed) for each in found.studies] == [
        (8, 3, 0),
        (32, 3, 0),
        (128, 2, 1),
        (512, 3, 0),
    ]
    small, _, missed, _ = found.studies
    assert small.at_end["sharpness"].to_json() == pytest.approx(
        {name: math.sqrt(8) * 1.1**seed for name, seed in (("median", 2), ("low", 1), ("high", 3))}
    )
    assert missed.at_end["sharpness"].low == pytest.approx(math.sqrt(128) * 1.1**2)
    assert small.deviations == {16: 4.0, 64: 2.0}


def test_a_noise_scale_without_an_end_is_infinite_and_null_in_json(seen: ExperimentRecord) -> None:
    found = diagnoses(seen)
    assert found is not None

    noise = found.studies[-1].at_end["noise_scale"]
    assert noise.high == math.inf
    assert noise.to_json()["high"] is None
    assert found.studies[0].signal == pytest.approx(math.sqrt(8 / (20 * math.sqrt(8) * 1.1**2)))


def test_the_answer_says_what_grows_and_stands_beside_the_critical_batch_size(seen: ExperimentRecord) -> None:
    found = diagnoses(seen, Curves(seen))
    assert found is not None
    told = " ".join([found.answer, *found.details])

    assert found.trends[Diagnostic.SHARPNESS].factor == pytest.approx(math.sqrt(2), rel=0.03)
    assert "Tuned, sharpness grows with the batch size: x 1.4" in told
    assert "times the critical batch size of" in told
    assert "to the power 0.50" in told
    assert "follows log t with R² = 1.00" in told
    assert found.to_json()["trends"]["sharpness"]["verdict"] == "grows"  # type: ignore[index]


def test_a_critical_batch_size_beyond_what_was_measured_is_not_compared_with() -> None:
    steps = ScalingFit(1.0, 5000.0, None, None, 0.1, measured_to=512)
    spread = {"noise_scale": Spread(20.0, 10.0, 30.0)}
    found = Diagnoses(digits(), (StudyDiagnosis(8, 100, 3, 0, spread),), {}, steps)

    assert "The critical batch size lies beyond the largest one measured, 512." in found.answer
    assert "times the critical batch size" not in found.answer
    assert "critical" not in {line.get_gid() for line in draw_noise(found).axes[0].get_lines()}


def test_along_the_way_comes_from_the_curves(seen: ExperimentRecord) -> None:
    found = diagnoses(seen, Curves(seen))
    assert found is not None

    (path, *_) = found.studies[0].paths
    assert list(path.looked_at) == [4, 32]
    assert len(path.distances) == 7
    assert path.fit is not None
    assert path.fit.growth == pytest.approx(1.0)


def test_the_report_has_a_section_with_figures_and_a_table(seen: ExperimentRecord) -> None:
    section = diagnoses_section(findings(seen, curves=Curves(seen)))

    assert section is not None
    assert [each.name for each in section.drawings] == ["diagnoses", "noise_scale", "distances"]
    (table,) = section.tables
    assert [row[:2] for row in table.rows] == [("8", "3"), ("32", "3"), ("128", "2 of 3"), ("512", "3")]
    assert table.rows[3][table.heads.index("noise scale")].endswith("to no end)")
    assert "at batch size 128" in section.notes[-1]
