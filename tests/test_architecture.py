"""The import directions hold, and the command line answers without loading what it does not need."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent

MOST_LINES, MOST_LINES_OF_A_FUNCTION, MOST_MODULES = 300, 40, 12

AUDITED = """
import sys
from contextlib import suppress
from tuner.errors import ConfigError
from tuner.experiment import parse, preset_text

CODE = {"import", "exec", "compile", "marshal.loads", "pickle.find_class", "os.system", "subprocess.Popen"}
seen = []
ours = preset_text("digits")
parse(ours, source="").build_objective()  # imports the components that we ship
sys.addaudithook(lambda event, about: seen.append(about[0]) if event in CODE else None)
parse(ours, source="").build_objective()
print(*seen)
seen.clear()
with suppress(ConfigError):  # it is no sampler
    parse(ours.replace('"tpe"', '"tests.toy:Toy"'), source="")
print(*seen)
"""
"""Prints the code that is run on reading a file, and on reading one that names a class of the user's."""


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def loaded_by(*modules: str) -> list[str]:
    """The modules that a fresh interpreter has loaded after importing these."""
    return python(f"import sys, {', '.join(modules)}; print(*sys.modules)").split()


def test_imports_point_one_way() -> None:
    program = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([program, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.returncode == 0, done.stdout


def test_help_loads_nothing_heavy() -> None:
    loaded = loaded_by("tuner.cli.app")

    assert not {"torch", "mlflow", "optuna", "sqlalchemy", "matplotlib", "numpy", "ray"} & set(loaded)


def test_a_report_is_made_without_what_only_searches_need() -> None:
    loaded = loaded_by("tuner.cli.tables", "tuner.service.locations", "tuner.reports.page")

    assert not {"torch", "mlflow", "optuna", "alembic", "sklearn", "pandas", "scipy.stats"} & set(loaded)
    assert "tuner.analysis.nqm" not in loaded


def test_reading_an_experiment_runs_no_code_but_the_component_it_names() -> None:
    with_ours, with_the_users = python(AUDITED).splitlines()

    assert with_ours == ""
    assert "tests/toy.py" in with_the_users


def test_status_loads_no_more_than_it_needs() -> None:
    loaded = loaded_by("tuner.cli.status", "tuner.service.locations", "tuner.cli.printing")

    assert not {"torch", "mlflow", "optuna", "alembic", "matplotlib", "sklearn", "scipy", "numpy"} & set(loaded)


def test_a_worker_loads_what_it_trains_with_and_nothing_to_draw() -> None:
    loaded = loaded_by("tuner.service.serve")

    assert not {"torch", "mlflow", "matplotlib", "sklearn", "pandas", "scipy"} & set(loaded)


def test_modules_and_functions_stay_short() -> None:
    modules = [*(ROOT / "tuner").rglob("*.py"), *(ROOT / "objectives").rglob("*.py")]
    functions = [
        (path.name, node.name, (node.end_lineno or 0) - node.lineno + 1)
        for path in modules
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]

    assert [str(each) for each in modules if len(each.read_text().splitlines()) > MOST_LINES] == []
    assert [each for each in functions if each[2] > MOST_LINES_OF_A_FUNCTION] == []
    assert len(functions) > 1000


def test_rooms_stay_small() -> None:
    rooms = [each.parent for top in ("tuner", "objectives") for each in (ROOT / top).rglob("__init__.py")]
    modules = {room: [each for each in room.glob("*.py") if each.name != "__init__.py"] for room in rooms}

    assert {str(room): len(each) for room, each in modules.items() if len(each) > MOST_MODULES} == {}
    assert max(len(room.relative_to(ROOT).parts) for room in rooms) == 3  # two levels below the top
    assert {each.stem for each in modules[ROOT / "tuner"]} == {
        "__main__",
        "trial",
        "errors",
        "passwords",
        "tracebacks",
        "guard",
    }


def test_tests_lie_in_the_rooms_of_what_they_test() -> None:
    folders = {each.parent for top in ("tuner", "objectives") for each in (ROOT / "tests" / top).rglob("test_*.py")}

    assert len(folders) > 15
    assert [each for each in folders if not (ROOT / each.relative_to(ROOT / "tests")).is_dir()] == []


def test_the_layers_are_printed_in_the_readme() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = contracts[0]["layers"]
    shown = " -> ".join(layers).replace("tuner.", "").replace(" : ", ", ")

    assert len(layers) <= 10
    assert shown in (ROOT / "tuner" / "README.md").read_text()
