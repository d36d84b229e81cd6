"""What the READMEs show works: their code, their experiments, their commands, and their links."""

import doctest
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from typer.core import TyperGroup
from typer.main import get_command

from objectives.classification import Classification
from objectives.data.digits import Digits
from objectives.models.mlp import Mlp
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from tests.commands import environment, tuner
from tests.measured import advanced
from tests.toy import SMALL
from tuner.cli.app import app
from tuner.experiment import load, parse
from tuner.experiment.goals import ReachTarget
from tuner.objective import Objective, Target
from tuner.records import Role, TrialPlan
from tuner.search.loop import Ended, Trial, search
from tuner.trial import Outcome, TrialSpec

ROOT = Path(__file__).parent.parent
MAIN = ROOT / "README.md"
TUNER, OBJECTIVES = ROOT / "tuner" / "README.md", ROOT / "objectives" / "README.md"
BENCHMARKS, DEPLOY = ROOT / "tests" / "benchmarks" / "README.md", ROOT / "deploy" / "README.md"
PAGES = [
    MAIN,
    TUNER,
    OBJECTIVES,
    ROOT / "tests" / "README.md",
    BENCHMARKS,
    *sorted((ROOT / "deploy").rglob("README.md")),
]
MOST_LINES, MOST_WORDS = 200, 20
EXECUTED = {("README.md", "python"): 2, ("README.md", "toml"): 1, ("tuner/README.md", "toml"): 1}
EXECUTED |= {
    ("objectives/README.md", "python"): 10,
    ("objectives/README.md", "toml"): 6,
    ("objectives/README.md", "pycon"): 1,
    ("deploy/README.md", "nginx"): 1,
}
"""The fenced blocks in a language that these tests know, as many as a page has. The rest is not code."""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def block(page: Path, language: str, *, containing: str = "") -> str:
    """The code of a page in a language."""
    blocks = re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)
    found = [each for each in blocks if containing in each]
    assert len(found) == 1
    return str(found[0])


def defined_in(page: Path, name: str) -> type:
    """A class that a page defines."""
    names: dict[str, object] = {"__name__": __name__}
    exec(block(page, "python", containing=f"class {name}"), names)
    defined = names[name]
    assert isinstance(defined, type)
    return defined


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What a link may point to in a page, by GitHub's rule."""
    headings = re.findall(r"^#+ +(.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def cells(page: Path, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    below = page.read_text().split(f"# {heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", below, flags=re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table[0].splitlines()[2:]]


def test_every_block_is_known_to_these_tests() -> None:
    found: dict[tuple[str, str], int] = {}
    for page in PAGES:
        for language in re.findall(r"^```(\w+)$", page.read_text(), flags=re.MULTILINE):
            key = name_of(page), language
            found[key] = found.get(key, 0) + 1

    assert found == EXECUTED


def test_the_explained_experiment_shows_every_key_of_the_search() -> None:
    shown = tomllib.loads(block(TUNER, "toml"))

    every = parse(block(TUNER, "toml"), source="README.md").to_table()

    for section in ("goal", "search", "confirmation", "measuring"):
        table = every[section]
        assert isinstance(table, Mapping)
        assert set(shown[section]) == set(table)


def test_its_model_is_found_beside_its_experiment(tmp_path: Path) -> None:
    (tmp_path / "my_lab.py").write_text(block(MAIN, "python", containing="class TwoLayers"))
    (tmp_path / "mine.toml").write_text(block(MAIN, "toml"))

    done = subprocess.run(
        [sys.executable, "-m", "tuner", "validate", "mine.toml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )

    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_its_python_runs_in_a_notebook(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SMALL.replace('name = "toy"', 'name = "mine"'))
    lines = block(MAIN, "python", containing="import tuner").splitlines()
    notebook = new_notebook(cells=[new_code_cell(each) for each in lines if each])

    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute(env=environment())

    shown = {cell.source.split("  #")[0].strip(): cell.outputs for cell in notebook.cells}
    [progress] = [each.data for each in shown['results = tuner.run("mine.toml")'] if each.output_type != "stream"]
    assert [line.split()[-1] for line in progress["text/plain"].splitlines()[3:5]] == ["done", "done"]
    assert "34 of 34 trials" in progress["text/html"]
    assert "Best(batch_size=16, hyperparameters={'learning_rate': " in shown["results.best(16)"][0].data["text/plain"]
    assert "<th>learning_rate</th>" in shown["results.trials"][0].data["text/html"]
    assert len(shown["results.figures.scaling()"][0].data["image/png"]) > 10_000
    assert (tmp_path / "runs" / "mine" / "report.html").exists()


def test_its_objective_trains() -> None:
    objective = defined_in(OBJECTIVES, "Bowl")()
    plan = TrialPlan(0, 0, Role.SEARCH, 0, {"learning_rate": 0.25}, 1, "cpu")

    assert isinstance(objective, Objective)
    trainer = objective.trainer(8, lanes=1, device="cpu")
    goal = ReachTarget("validation/error", Target(0.1), within_steps=100)
    ended = [each for each in search(trainer, iter([Trial(0, plan)]), goal) if isinstance(each, Ended)]

    assert [each.result.steps for each in ended] == [4]


EXAMPLES = {"rings": "class Rings", "stripes": "class Stripes", "waves": 'np.savez("waves', "words": 'Path("words'}
"""Experiments with data of the user's, and what the code of each contains."""


def written_example(name: str, folder: Path) -> None:
    """The files of an example, and those that its code writes."""
    (folder / f"{name}.toml").write_text(block(OBJECTIVES, "toml", containing=f'name = "{name}"'))
    (folder / f"{name}.py").write_text(block(OBJECTIVES, "python", containing=EXAMPLES[name]))
    subprocess.run([sys.executable, f"{name}.py"], cwd=folder, check=True, env=environment())


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_with_data_of_the_users_reaches_its_goal(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_example(name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    experiment = load(f"{name}.toml")

    objective, goal = experiment.build_objective(), experiment.goal.at(64)
    point = {"learning_rate": 0.1, "momentum": 0.9, "end_factor": 1.0, "decay_steps": 1000.0}
    trainer = objective.trainer(64, lanes=2, device="cpu")
    plans = [TrialPlan(at, 0, Role.SEARCH, at, point, seed, "cpu") for at, seed in enumerate((1, 2))]
    ended = [each for each in search(trainer, map(Trial, range(2), plans), goal) if isinstance(each, Ended)]
    assert [each.result.outcome for each in ended] == [Outcome.ACHIEVED] * 2


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_with_data_of_the_users_runs(name: str, tmp_path: Path) -> None:
    written_example(name, tmp_path)

    done = tuner(tmp_path, "run", f"{name}.toml")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / name / "report.html").exists()


def test_its_loss_and_metric_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written_example("waves", tmp_path)
    (tmp_path / "my_lab.py").write_text(block(OBJECTIVES, "python", containing="def huber"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = (tmp_path / "waves.toml").read_text()
    changed = text.replace('loss = "mse"', 'loss = "my_lab:huber"\nmetrics = ["loss", "my_lab:within_a_tenth"]')

    objective = parse(changed.replace("mean_absolute_error", "within_a_tenth"), source="waves.toml").build_objective()

    measured = {f"{split}/{each}" for split in ("validation", "test") for each in ("loss", "within_a_tenth")}
    assert objective.metrics == {"train/loss"} | measured


@pytest.mark.parametrize("page", [MAIN, OBJECTIVES], ids=name_of)
def test_its_model_trains_in_lanes(page: Path) -> None:
    model = defined_in(page, "TwoLayers")(width=32)
    trainer = Classification(Digits(), model, HeavyBall(), LinearDecay()).trainer(64, lanes=2, device="cpu")
    for lane in range(2):
        point = {"learning_rate": 0.1, "momentum": 0.9, "end_factor": 1.0, "decay_steps": 100.0}
        trainer.load(lane, TrialSpec(lane, point))

    curves = [advanced(trainer) for _ in range(40)]

    assert all(curves[-1][lane][0].metrics["validation/error"] < 0.1 for lane in range(2))


def test_its_optimizer_trains_in_lanes() -> None:
    workload = Classification(Digits(), Mlp((32,)), defined_in(OBJECTIVES, "Signs")(), LinearDecay())
    trainer = workload.trainer(64, lanes=2, device="cpu")
    for lane in range(2):
        trainer.load(lane, TrialSpec(lane, {"learning_rate": 0.01, "end_factor": 1.0, "decay_steps": 100.0}))

    curves = [advanced(trainer) for _ in range(40)]

    assert all(curves[-1][lane][0].metrics["validation/error"] < 0.1 for lane in range(2))


def test_its_session_answers_as_shown() -> None:
    session = doctest.DocTestParser().get_doctest(block(OBJECTIVES, "pycon"), {}, "README.md", "README.md", 0)

    assert len(session.examples) == 4
    assert doctest.DocTestRunner().run(session).failed == 0


@pytest.mark.parametrize("name", ["pip install -e . &&", "pip install -e '.[test]' &&"])
def test_its_two_commands_are_there(name: str) -> None:
    assert MAIN.read_text().count(name) == 1


def test_ci_finds_the_test_command() -> None:
    found = re.findall(r"^ +python3 -m venv .*/pytest$", MAIN.read_text(), flags=re.MULTILINE)

    assert len(found) == 1


def test_the_main_readme_is_short() -> None:
    assert len(MAIN.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_its_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", prose(page))
    for link in [each for each in links if not each.startswith("https://")]:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page

        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_the_main_readme_leads_to_every_other() -> None:
    seen, ahead = set(), [MAIN]
    while ahead:
        page = ahead.pop()
        if page not in seen:
            seen.add(page)
            links = re.findall(r"\]\(([^)#]*README\.md)", page.read_text())
            ahead += [(page.parent / each).resolve() for each in links]

    assert set(PAGES) <= seen


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_its_commands_are_commands_of_the_program(page: Path) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    text = re.sub(r"namespace tuner", "", prose(page))  # of Kubernetes
    quoted = re.findall(r"`tuner ([a-z][^`&|;]*)", text)
    lines = re.findall(r"^    (?:.* )?(?:\S*/)?tuner ([a-z][^&|;\n]*)$", text, flags=re.MULTILINE)
    for words in quoted + lines:
        name, *rest = words.split("  #")[0].split()
        assert name in group.commands, f"tuner {words}"
        known = {option for each in group.commands[name].params for option in each.opts}

        assert {each.strip("[],") for each in rest if each.strip("[").startswith("--")} <= known, f"tuner {words}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_modules_it_runs_exist(page: Path) -> None:
    for name in re.findall(r"python -m ([\w.]+)", page.read_text()):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name


def test_every_benchmark_that_can_be_run_has_its_numbers() -> None:
    programs = [each for each in BENCHMARKS.parent.glob("*.py") if '__name__ == "__main__"' in each.read_text()]
    measured = [each.stem for each in programs if f"`python -m tests.benchmarks.{each.stem}" in BENCHMARKS.read_text()]

    assert len(programs) > 8
    assert {each.stem for each in programs} - set(measured) == {"ordinary_script", "problems"}  # parts of others


def test_every_section_of_numbers_is_dated_and_named_at_the_top() -> None:
    sections = BENCHMARKS.read_text().split("\n## ")[1:]

    assert len(sections) > 10
    assert [each.splitlines()[0] for each in sections if not re.search(r"20\d\d-\d\d-\d\d", each)] == []
    assert {f"#{each}" for each in anchors(BENCHMARKS)} - {"#measured-numbers"} == set(
        re.findall(r"^\| \[[^]]+\]\((#[\w-]+)\)", BENCHMARKS.read_text(), flags=re.MULTILINE)
    )


def test_where_is_what_names_what_is_there() -> None:
    rows = cells(TUNER, "Where is what")

    assert len(rows) > 15
    for _, module, name in rows:
        text = (ROOT / module.strip("`")).read_text()
        owner, _, member = name.strip("`").rpartition(".")
        assert re.search(rf"^( *)(def|class) {member}\b", text, flags=re.MULTILINE), name
        assert not owner or f"class {owner}" in text, name


def test_every_room_has_its_line() -> None:
    rows = " ".join(row[0] for row in cells(TUNER, "Rooms"))
    rooms = {each.parent.name for each in (ROOT / "tuner").glob("*/__init__.py")}
    files = {each.name for each in (ROOT / "tuner").glob("*.py")} - {"__main__.py"}

    assert len(rooms) > 8
    assert {f"`tuner/{each}/`" for each in rooms} | {f"`tuner/{each}`" for each in files} <= set(
        re.findall(r"`[^`]+`", rows)
    )


def test_the_glossary_is_short() -> None:
    assert 10 < len(cells(TUNER, "Glossary")) <= MOST_WORDS


def test_the_figure_is_small() -> None:
    (figure,) = re.findall(r"!\[[^]]+\]\(([^)]+)\)", MAIN.read_text())

    assert (ROOT / figure).stat().st_size < 150_000


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_its_shell_commands_name_files_that_are_there(page: Path) -> None:
    made = ("deploy/secrets", "deploy/work")  # by `deploy/prepare`
    named = re.findall(r"(?<![\w/:.])deploy/[\w./-]+", re.sub(r"\]\([^)]*\)", "", page.read_text()))
    for path in [each.rstrip("./") for each in named if not each.startswith(made)]:
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_its_shell_blocks_are_well_formed(page: Path) -> None:
    script = "\n".join(re.findall(r"^    (\S.*)$", prose(page), flags=re.MULTILINE))

    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
