"""The import directions hold, and the command line answers without loading what it does not need."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

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
    loaded = loaded_by("tuner.cli.tables", "tuner.service.locations", "tuner.report.page")

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


def test_modules_stay_short() -> None:
    modules = [*(ROOT / "tuner").rglob("*.py"), *(ROOT / "objectives").rglob("*.py")]

    too_long = [str(each) for each in modules if len(each.read_text().splitlines()) > 300]

    assert modules
    assert too_long == []
