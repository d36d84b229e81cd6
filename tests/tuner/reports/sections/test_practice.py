"""The section that says what to train with: times and examples, figures that draw them, and what it does not know."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.tuner.reports.test_figures import data, lines
from tests.tuner.synthetic import digits, experiment_record
from tuner.experiment.components import available, find_named
from tuner.objective import COMPUTED, Predictor
from tuner.records import Curve, ExperimentRecord, Timing, TrialRecord
from tuner.reports.findings import Findings, findings
from tuner.reports.sections.contract import Section
from tuner.reports.sections.practice import what_to_train_with
from tuner.trial import Measurement

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
GPU, CPU = "NVIDIA H100", "Intel Xeon Processor (1 thread)"


@pytest.fixture(scope="module")
def record() -> ExperimentRecord:
    return experiment_record(digits(batch_sizes=[8, 64, 512]))


def timed(record: ExperimentRecord, *timings: tuple[int, str, float], has_measuring: bool = False) -> Findings:
    """What is found where steps take so many seconds at these batch sizes on these devices."""
    made = tuple(Timing(size, device, (seconds,) * 3, has_measuring, NOON) for size, device, seconds in timings)
    return findings(replace(record, timings=made), curves=lambda size, _round: curves_of(record, size))


def advice(found: Findings) -> str:
    """What the first screen says of it."""
    return "" if found.practice is None else found.practice.choices[0].advice


def curves_of(record: ExperimentRecord, batch_size: int) -> dict[int, Curve]:
    """Of each trial two measurements, the second where it ended."""

    def curve(trial: TrialRecord) -> Curve:
        steps = 0 if trial.end is None else trial.end.spent
        return (Measurement(1, {"validation/error": 0.9}), Measurement(steps, {"validation/error": 0.02}))

    (study,) = (each for each in record.studies if each.batch_size == batch_size)
    return {each.number: curve(each) for each in study.trials}


def section(found: Findings) -> Section:
    answered = what_to_train_with(found)
    assert answered is not None
    return answered


def test_without_times_steps_and_examples_are_compared_and_the_command_is_named(record: ExperimentRecord) -> None:
    found = section(timed(record))

    assert found.answer.startswith("Batch size ")
    assert "steps" in found.answer
    assert any("`tuner time digits` measures how long a step takes" in each for each in found.notes)
    assert "time to target" not in found.tables[0].heads
    assert [each.name for each in found.drawings] == ["practice", "learning"]
    assert len(found.drawings[1].figure.axes) == 2


def test_a_workload_that_computes_its_trials_has_no_step_to_be_timed(record: ExperimentRecord) -> None:
    computed = replace(record, experiment=replace(record.experiment, objective={"kind": "nqm"}))

    told = section(findings(computed)).notes
    assert "No device has been timed, so steps stand for the time." in told
    assert not any("tuner time" in each for each in told)


@pytest.mark.parametrize("kind", available("objectives"))
def test_what_is_computed_among_our_workloads_is_known_without_loading_them(kind: str) -> None:
    workload = find_named("objectives", kind)

    assert isinstance(workload, type)
    assert (kind in COMPUTED) == issubclass(workload, Predictor)


def test_each_device_has_a_sentence_and_a_table_and_the_faster_one_comes_first(record: ExperimentRecord) -> None:
    found = timed(record, *((size, CPU, 0.01) for size in (8, 64, 512)), (8, GPU, 0.001), (512, GPU, 0.001))
    answered = section(found)

    assert answered.answer.count("On this") == 2
    assert answered.answer.index(GPU) < answered.answer.index(CPU)
    assert answered.answer.startswith(advice(found))
    assert "(not timed there: 64)" in advice(found)
    assert [len(each.rows) for each in answered.tables] == [2, 3]
    assert answered.values is not None
    devices = answered.values["devices"]
    assert isinstance(devices, list)
    assert [each["device"] for each in devices] == [GPU, CPU]


def test_the_figures_draw_the_analysis(record: ExperimentRecord) -> None:
    found = timed(record, *((size, GPU, 0.5) for size in (8, 64, 512)))
    efforts, learning = (each.figure for each in section(found).drawings)
    points = found.curve.reached()

    drawn = [data(line) for line in lines(efforts, "way")]
    assert drawn == [([each.score * each.batch_size], [each.score * 0.5]) for each in points]
    middles = lines(learning, "middle")
    assert len(middles) == 9
    assert len(lines(learning, "whole")) == 9
    ends = [float(np.asarray(line.get_xdata())[-1]) for line in middles[::3]]
    assert ends == [points[0].score, points[0].score * points[0].batch_size, points[0].score * 0.5]


def test_times_that_hold_measuring_are_said_to(record: ExperimentRecord) -> None:
    found = section(timed(record, (8, GPU, 0.5), has_measuring=True))

    assert any(f"the times on {GPU} hold that of its measurements" in each for each in found.notes)


def test_there_is_no_answer_without_a_target_that_was_reached(record: ExperimentRecord) -> None:
    nothing = findings(ExperimentRecord(digits(), ()))

    assert what_to_train_with(nothing) is None
    assert advice(nothing) == ""
