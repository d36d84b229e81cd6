"""A script in any language trains as a workload: a process a trial, which prints its measurements as lines of JSON."""

from collections.abc import Mapping

import pytest

from objectives.command import Command
from objectives.loops.devices import Devices
from tests.objectives.loops.scripts import advanced, command, curve, failure, loaded, spec
from tests.toy import TOY
from tuner.errors import ConfigError, ContractError, OutOfMemory
from tuner.experiment import parse
from tuner.objective import Objective, PlannedObjective
from tuner.trial import Failure, Measurement, TrialSpec


def text(table: str) -> str:
    return TOY.replace('kind = "tests.toy:Toy"', f'kind = "command"\n{table}')


def test_it_is_an_objective_whose_placeholders_are_the_hyperparameters() -> None:
    assert isinstance(command(), Objective)
    assert isinstance(command(), PlannedObjective)
    assert command("{width:.3g}", "{max_steps}", "{device}", "{checkpoint}", "{{}}").hyperparameters == {
        "learning_rate",
        "width",
    }


def test_a_file_that_names_it_is_read() -> None:
    table = """
    command = ["python3", "train.py", "{learning_rate}", "{batch_size}"]
    metrics = ["validation/error"]
    train_examples = 1024
    grace_seconds = 1
    """

    assert parse(text(table), source="toy.toml").build_objective().train_examples == 1024


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('["no-such-program", "{learning_rate}", "{batch_size}"]', "command.0: no-such-program is not a program that"),
        ('["python3", "{learning_rate}"]', "command: has no {batch_size}; every study trains at a batch size"),
        (
            '["python3", "{learning_rate}", "{batch_size}", "{"]',
            "command.3: { has a brace without its other; write {{ and }} for",
        ),
        ('["python3", "{learning_rate}", "{batch_size}", "{}"]', "command.3: {} has {}, which is no name; write {{"),
        ('["python3", "{learning_rate}", "{batch_size}", "{a.b}"]', "command.3: {a.b} has {a.b}, which is no name"),
        ("[]", "command: is empty"),
        ('["python3", "{learning_rat}", "{batch_size}"]', "space.learning_rate: is not a hyperparameter of this"),
        ('["python3", "{learning_rat}", "{batch_size}"]', "space.learning_rat: is missing; the objective needs it"),
    ],
)
def test_a_command_that_cannot_be_run_is_a_problem_of_the_file(arguments: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text(f'command = {arguments}\nmetrics = ["validation/error"]\ntrain_examples = 1024'), source="toy.toml")

    assert message in str(caught.value)


def test_all_lanes_run_at_once_and_measure_what_each_would_alone() -> None:
    with loaded(command(), spec(0.5), spec(0.25)) as trainer:
        chunks = [advanced(trainer) for _ in range(3)]

    for lane, rate in enumerate((0.5, 0.25)):
        measured = [each for chunk in chunks for each in chunk[lane]]
        assert [each.step for each in measured if isinstance(each, Measurement)] == [1, 2, 3]
        expected = [(1 - rate / 10) ** step for step in (1, 2, 3)]
        assert [
            each.metrics["validation/error"] for each in measured if isinstance(each, Measurement)
        ] == pytest.approx(expected, rel=1e-12)
    assert len({chunks[0][lane][0].metrics["process"] for lane in (0, 1)}) == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("device", "devices", "mask", "visible", "inside"),
    [
        ("cpu", Devices.WORKER, None, "", "cpu"),
        ("cuda:1", Devices.WORKER, None, "1", "cuda"),
        ("cuda:1", Devices.WORKER, "4,6", "6", "cuda"),
        ("cuda:1", Devices.ALL, "4,6", "4,6", "cuda"),
        ("cuda", Devices.WORKER, "4,6", "4,6", "cuda"),
    ],
)
def test_a_script_sees_the_device_of_its_worker(
    monkeypatch: pytest.MonkeyPatch, device: str, devices: Devices, mask: str | None, visible: str, inside: str
) -> None:
    for each in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"):
        monkeypatch.delenv(each, raising=False)
    if mask is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", mask)
    workload = command("environment", "", "{device}", "{max_steps}", devices=devices)
    with loaded(workload, spec(0.1 + 0.2, seed=2**40 + 3), device=device) as trainer:
        (measured,) = curve(trainer, 1)

    assert isinstance(measured, Measurement)
    seen: Mapping[str, object] = measured.metrics
    assert seen["visible"] == [visible, "1" if device == "cpu" else None]
    assert seen["arguments"] == ["0.30000000000000004", "8", "3", "environment", "", inside, "5000"]


@pytest.mark.parametrize(
    ("manner", "chunks", "reason"),
    [
        ("crashes", 1, "the command ended with exit code 1: ValueError: no such file"),
        ("segfaults", 1, "the command was ended by SIGSEGV"),
        (
            "silent",
            1,
            "the command ended without a measurement; it has to print measurements as lines like "
            '{"step": 100, "validation/error": 0.12}',
        ),
        ("ends", 4, "the command ended after step 3, before the target or the budget of 5,000 steps"),
        ("broken", 1, """it printed '{"step": 1, "validation/err', which is no JSON object a line"""),
        (
            "full",
            1,
            "cpu cannot hold even one lane: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 3 GiB",
        ),
    ],
)
def test_a_script_that_does_not_go_on_fails_with_a_reason(manner: str, chunks: int, reason: str) -> None:
    assert failure(manner, chunks=chunks).reason == reason


def test_a_crash_shows_the_last_lines_of_the_standard_error() -> None:
    details = failure("crashes").details.splitlines()

    assert details[:2] == ["loading", "the data"]
    assert details[-1] == "ValueError: no such file"


def test_a_program_that_vanishes_fails_the_trial() -> None:
    workload = Command(("{program}", "{batch_size}"), frozenset({"validation/error"}), 1024)
    with loaded(workload, TrialSpec(1, {"program": "/no/such/program"})) as trainer:
        assert curve(trainer, 1) == [Failure(*["/no/such/program cannot be started: No such file or directory"] * 2)]


def test_a_step_that_is_no_whole_number_breaks_the_contract() -> None:
    with loaded(command("float step"), spec()) as trainer, pytest.raises(ContractError, match=r"printed the step 1\.5"):
        advanced(trainer)


def test_full_memory_means_fewer_lanes() -> None:
    full = pytest.raises(OutOfMemory, match=r"cpu cannot hold 2 lanes: torch\.OutOfMemoryError")
    with loaded(command("full"), spec(), spec()) as trainer, full:
        advanced(trainer)
