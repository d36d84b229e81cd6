"""The command line: what people type, read and see go wrong."""

import csv
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.commands import ROOT, environment, read_until, tuner
from tests.toy import SMALL, TOY, steps_to
from tuner.cli.app import app
from tuner.experiment import preset_text

UNHURRIED = """
import sys
from tuner.service import signals

signals.GRACE_SECONDS, signals.WORKERS_SECONDS = 90.0, 60.0
sys.argv[0] = "tuner"
from tuner.__main__ import main

main()
"""
"""The command line, which takes the time that a busy machine needs to stop; `test_stopping.py` has how long it may."""
COMMANDS = [each.name or each.callback.__name__ for each in app.registered_commands if each.callback]


def test_a_run_says_in_plain_lines_what_it_does_and_what_came_out(finished: Path) -> None:
    said = (finished / "run.txt").read_text()

    assert "\x1b[" not in said
    assert "batch size" in said
    assert "runs/toy/report.html" in said
    assert (finished / "runs" / "toy" / "report.html").exists()
    assert {each.name for each in (finished / "runs").iterdir()} >= {"tuner.db", "mlflow.db", "toy"}


def test_results_as_json_hold_what_is_promised(finished: Path) -> None:
    found = json.loads(tuner(finished, "results", "toy", "--json").stdout)

    assert found["experiment"] == "toy"
    assert found["goal"] == {"metric": "validation/error", "below": 0.03, "within_steps": 400}
    assert [each["batch_size"] for each in found["studies"]] == [8, 16]
    for study in found["studies"]:
        assert study["rounds"] == 1
        assert study["examples_spent"] == study["steps_spent"] * study["batch_size"]
        assert study["trials"].keys() == {"achieved", "censored", "infeasible", "error", "failed", "running"}
        assert study["errors"] == {}
        assert sum(study["trials"].values()) == 12
        assert study["best"]["steps"] == steps_to(0.03, study["best"]["params"]["learning_rate"])
        confirmed = study["confirmed"]
        assert confirmed["low"] <= confirmed["steps"] <= confirmed["high"]
        assert (confirmed["seeds"], confirmed["reached"]) == (3, 3)
        assert [each["parameter"] for each in study["edges"]] == ["learning_rate"]


def test_edges_as_json_are_those_of_the_results_and_the_exit_code_flags_what_is_suspicious(finished: Path) -> None:
    done = tuner(finished, "edges", "toy", "--json")

    found = json.loads(done.stdout)
    assert [each["batch_size"] for each in found["edges"]] == [8, 16]
    verdicts = {each["verdict"] for each in found["edges"]}
    assert verdicts <= {"box_edge", "stability_limit", "natural_limit", "workload_limit", "inside"}
    assert done.returncode == (3 if "box_edge" in verdicts or found["doubts"] else 0)


def test_sensitivity_as_json_has_intervals_shares_and_importances(finished: Path) -> None:
    found = json.loads(tuner(finished, "sensitivity", "toy", "--json").stdout)

    assert [each["batch_size"] for each in found["studies"]] == [8, 16]
    for study in found["studies"]:
        (parameter,) = study["parameters"]
        assert [each["factor"] for each in parameter["within"]] == [1.1, 2.0]
        for each in parameter["within"]:
            assert each["low"] <= study["optimum"]["learning_rate"] <= each["high"] < 1.5
        assert study["shares"]["points"] == 12  # a random search: no point was led to by results
        assert study["importances"] == {}


def test_sensitivity_says_how_far_a_parameter_may_be_off(finished: Path) -> None:
    said = tuner(finished, "sensitivity", "toy").stdout

    for word in ("learning_rate", "within 1.1x", "within 2x", "reach the target", "diverge"):
        assert word in said


def test_replaying_a_trial_finds_it_the_same(finished: Path) -> None:
    done = tuner(finished, "replay", "toy", "--batch-size", "8", "--trial", "3")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("same: it")


def test_export_as_csv_has_a_row_for_each_measurement(finished: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(tuner(finished, "export", "toy").stdout)))

    first = [each for each in rows if (each["batch_size"], each["trial"]) == ("8", "0")]
    assert [int(each["step"]) for each in first] == list(range(1, len(first) + 1))
    assert {"learning_rate", "validation/error", "train/loss", "outcome", "seed"} <= rows[0].keys()
    assert len({(each["batch_size"], each["trial"]) for each in rows}) == 2 * (12 + 2 + 3)


def test_export_as_json_has_every_trial_with_its_curve(finished: Path) -> None:
    found = json.loads(tuner(finished, "export", "toy", "--format", "json").stdout)

    assert len(found["trials"]) == 2 * (12 + 2 + 3)
    for trial in found["trials"]:
        assert len(trial["curve"]["step"]) == len(trial["curve"]["validation/error"]) > 0


def test_status_shows_every_study_done(finished: Path) -> None:
    said = tuner(finished, "status").stdout

    assert said.count("done") == 2
    assert said.count("17/17") == 2


def test_running_a_finished_experiment_again_changes_nothing(finished: Path) -> None:
    before = tuner(finished, "export", "toy").stdout

    done = tuner(finished, "run", "toy.toml")

    assert done.returncode == 0
    assert tuner(finished, "export", "toy").stdout == before


def test_syncing_after_a_run_finds_everything_there(finished: Path) -> None:
    done = tuner(finished, "sync", "toy")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 runs created, 0 completed")


def test_a_report_can_be_written_elsewhere(finished: Path, tmp_path: Path) -> None:
    done = tuner(finished, "report", "toy", "--output", str(tmp_path / "here"), "--json")

    assert (tmp_path / "here" / "report.html").exists(), done.stderr
    told = json.loads(done.stdout)
    assert told == json.loads((tmp_path / "here" / "report.json").read_text())
    assert [each["batch_size"] for each in told["sections"]["optima"]["values"]["studies"]] == [8, 16]


def test_an_experiment_of_the_same_name_with_other_settings_is_refused(finished: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(SMALL.replace("points = 12", "points = 11"))

    done = tuner(finished, "run", str(other))

    assert done.returncode == 1
    assert "search.points" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_stops_cleanly_and_goes_on(tmp_path: Path, sign: signal.Signals) -> None:
    text = SMALL.replace('kind = "tests.toy:Toy"', 'kind = "tests.toy:Toy"\npause = 0.01')
    (tmp_path / "toy.toml").write_text(text)
    command = [sys.executable, "-c", UNHURRIED, "run", "toy.toml", "--workers", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True, env=environment(PYTHONUNBUFFERED="1")
    ) as started:
        said = read_until(started, "found by trial")
        started.send_signal(sign)
        rest, errors = started.communicate(timeout=100)
    before = set(tuner(tmp_path, "export", "toy").stdout.splitlines())

    assert started.returncode == 130, errors
    assert "Traceback" not in errors
    assert "the same command goes on from here" in said + rest
    assert any(",finished," in each for each in before)
    assert not any(",running," in each for each in before)

    done = tuner(tmp_path, "run", "toy.toml")

    assert done.returncode == 0, done.stderr
    after = set(tuner(tmp_path, "export", "toy").stdout.splitlines())
    assert {each for each in before if ",finished," in each} <= after


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "none.toml"), "none.toml: cannot be read"),
        (("run", "toy.toml", "--store", "sqlite:////proc/none/tuner.db"), "cannot be opened"),
        (("results", "nothing"), "there is no experiment nothing"),
        (("replay", "toy", "--batch-size", "9", "--trial", "0"), "toy has no study of batch size 9; it has 8, 16"),
        (("replay", "toy", "--batch-size", "8", "--trial", "99"), "has no trial 99"),
        (("replay", "toy", "--batch-size", "8", "--trial", "0", "--round", "9"), "has no round 9; it has 1, from 1"),
        (("run", "toy.toml", "--mlflow", "sqlite:///runs/tuner.db"), "need a database each"),
        (("presets", "digit"), "did you mean digits?"),
        (("predict", "toy.toml"), "the optimum of tests.toy:Toy cannot be computed; measure it with `tuner run`"),
        (("fit", "toy"), "toy: A model needs 3 batch sizes that reached the target; 2 batch sizes did."),
        (("fit", "nothing"), "there is no experiment nothing"),
        (("sensitivity", "nothing"), "there is no experiment nothing"),
        (("results", "toy", "--store", "postgresql://ann:secret@localhost/x"), "TUNER_STORE"),
        (("results", "toy", "--store", "postgresql://ann@127.0.0.1:1/x"), "cannot be"),
        (("results", "toy", "--store", "sqlite://runs/tuner.db"), "write three: sqlite:///runs/tuner.db"),
        (("sync", "toy", "--mlflow", "http://ann:secret@localhost"), "MLFLOW_TRACKING_URI"),
        (("mlflow", "--mlflow", "http://localhost:1"), "is served already"),
    ],
)
def test_bad_input_is_one_clear_line(finished: Path, arguments: tuple[str, ...], message: str) -> None:
    done = tuner(finished, *arguments)

    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr


def test_a_current_folder_that_is_gone_is_one_clear_line(tmp_path: Path) -> None:
    program = f"mkdir gone && cd gone && rmdir ../gone && exec {sys.executable} -m tuner results toy"

    done = subprocess.run(
        ["sh", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment()
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: the current folder has been deleted; change to another, `cd ~` for example\n"


def test_every_problem_of_a_file_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(SMALL.replace("points", "pionts").replace("low = 1e-3", "low = -1"))

    done = tuner(tmp_path, "validate", "bad.toml")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2
    assert "did you mean points?" in done.stderr
    assert "low = -1 must be positive on a log scale" in done.stderr


def test_wrong_usage_exits_with_two(tmp_path: Path) -> None:
    assert tuner(tmp_path, "results").returncode == 2
    assert tuner(tmp_path, "run", "digits", "--workers", "0").returncode == 2
    assert "none of auto, cpu, cuda" in tuner(tmp_path, "run", "digits", "--device", "gpu").stderr


def test_a_password_in_the_environment_is_never_shown(tmp_path: Path) -> None:
    done = tuner(tmp_path, "status", TUNER_STORE="postgresql://ann:s3cr3t@127.0.0.1:1/x")

    assert done.returncode == 1
    assert "ann:***@127.0.0.1" in done.stderr
    assert "s3cr3t" not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def quadratic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the noisy quadratic model under SGD preconditioned like Adam, at three batch sizes, not yet run."""
    folder = tmp_path_factory.mktemp("quadratic")
    lines = preset_text("nqm-adam").splitlines()
    kept = [each for each in lines if each.split(" = ")[0] not in {str(4**power) for power in (1, 2, 3, 4, 9, 10)}]
    text = "\n".join("batch_sizes = [1024, 4096, 16384, 65536]" if "batch_sizes" in each else each for each in kept)
    (folder / "small.toml").write_text(text.replace("points = 50", "points = 12\nmax_rounds = 1"))
    return folder


def test_predictions_are_a_table_for_people_and_json_for_programs(quadratic: Path) -> None:
    table, found = tuner(quadratic, "predict", "small.toml"), tuner(quadratic, "predict", "small.toml", "--json")

    predictions = json.loads(found.stdout)["predictions"]
    assert [each["batch_size"] for each in predictions] == [1024, 4096, 16384, 65536]
    assert predictions[0]["steps"] <= 1_367
    assert predictions[0]["params"] == {"learning_rate": pytest.approx(0.1668, rel=0.1)}
    assert f"{predictions[0]['steps']:,}" in table.stdout
    assert "inside" in table.stdout
    assert (table.returncode, found.returncode) == (0, 0)


def test_a_prediction_at_an_edge_of_its_box_is_flagged(quadratic: Path) -> None:
    text = (quadratic / "small.toml").read_text().replace("high = 10", "high = 0.1")
    (quadratic / "narrow.toml").write_text(text)

    table, found = tuner(quadratic, "predict", "narrow.toml"), tuner(quadratic, "predict", "narrow.toml", "--json")

    first, *_ = json.loads(found.stdout)["predictions"]
    assert (table.returncode, found.returncode) == (3, 3)
    assert "learning_rate high: box edge" in table.stdout
    assert f"batch size 1024: {first['edges'][0]['sentence']}" in table.stdout


def test_a_fit_draws_the_model_in_the_report(quadratic: Path) -> None:
    tuner(quadratic, "run", "small.toml")

    done = tuner(quadratic, "fit", "nqm-adam", "--json")

    found = json.loads(done.stdout)
    measured = json.loads(tuner(quadratic, "results", "nqm-adam", "--json").stdout)["studies"]
    assert found["experiment"] == "nqm-adam"
    assert found["model"].keys() == {"method", "noise_scale", "exponent", "start", "target"}
    assert found["rms_log2_residual"] < 0.5
    assert [(each["batch_size"], each["measured"]) for each in found["fitted"]] == [
        (each["batch_size"], each["confirmed"]["steps"]) for each in measured if each["confirmed"]
    ]
    assert "A noisy quadratic model trained by plain SGD" in (quadratic / found["report"]).read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    said = CliRunner().invoke(app, [command, "--help"]).stdout

    assert "Example:" in said
    assert f"tuner {command}" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"tuner {command}" in (ROOT / "README.md").read_text()


def test_validating_a_good_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(SMALL)

    done = tuner(tmp_path, "validate", "toy.toml")

    assert done.stdout == "toy.toml is valid: toy, 12 points at batch sizes 8, 16\n"


def test_validating_says_which_metric_is_always_measured_in_full(tmp_path: Path) -> None:
    digits = preset_text("digits")
    (tmp_path / "digits.toml").write_text(digits)
    (tmp_path / "train.toml").write_text(digits.replace("validation/error", "train/loss"))
    loop = 'kind = "function"\nfunction = "tests.objectives.loops.users:tells_examples"'
    (tmp_path / "loop.toml").write_text(TOY.replace('kind = "tests.toy:Toy"', loop))

    said = {name: tuner(tmp_path, "validate", f"{name}.toml").stdout for name in ("digits", "train", "loop")}

    full = "train/loss ends no measurement early: each sees all validation examples"
    assert full in said["train"].splitlines()
    assert len(said["digits"].splitlines()) == len(said["loop"].splitlines()) == 1


def test_presets_are_listed_and_printed(tmp_path: Path) -> None:
    assert "digits" in tuner(tmp_path, "presets").stdout.split()
    assert 'name = "digits"' in tuner(tmp_path, "presets", "digits").stdout
