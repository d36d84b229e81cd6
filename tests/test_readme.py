"""What the README shows works."""

import doctest
import re
from pathlib import Path

import pytest

from objectives.classification import Classification
from objectives.data.digits import Digits
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from tuner.experiment import Experiment, parse
from tuner.experiment.goals import ReachTarget
from tuner.objective import Objective
from tuner.records import Role, TrialPlan
from tuner.search.loop import Ended, Trial, search
from tuner.trial import TrialSpec

README = (Path(__file__).parent.parent / "README.md").read_text()


def block(language: str, *, containing: str = "") -> str:
    """The README's code in a language."""
    found = [each for each in re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL) if containing in each]
    assert len(found) == 1
    return str(found[0])


def test_its_experiment_is_valid() -> None:
    assert isinstance(parse(block("toml"), source="README.md"), Experiment)


def test_its_objective_trains() -> None:
    names: dict[str, object] = {}
    exec(block("python", containing="class Bowl"), names)
    bowl = names["Bowl"]
    assert isinstance(bowl, type)
    objective = bowl()
    plan = TrialPlan(0, 0, Role.SEARCH, 0, {"learning_rate": 0.25}, 1, "cpu")

    assert isinstance(objective, Objective)
    trainer = objective.trainer(8, lanes=1, device="cpu")
    goal = ReachTarget("validation/error", below=0.1, within_steps=100)
    ended = [each for each in search(trainer, iter([Trial(0, plan)]), goal) if isinstance(each, Ended)]

    assert [each.result.steps for each in ended] == [4]


def test_its_model_trains_in_lanes() -> None:
    names: dict[str, object] = {"__name__": __name__}
    exec(block("python", containing="class TwoLayers"), names)
    two_layers = names["TwoLayers"]
    assert isinstance(two_layers, type)
    trainer = Classification(Digits(), two_layers(width=32), HeavyBall(), LinearDecay()).trainer(
        64, lanes=2, device="cpu"
    )
    for lane in range(2):
        point = {"learning_rate": 0.1, "momentum": 0.9, "end_factor": 1.0, "decay_steps": 100.0}
        trainer.load(lane, TrialSpec(lane, point))

    curves = [trainer.advance() for _ in range(40)]

    assert all(curves[-1][lane][0].metrics["validation/error"] < 0.1 for lane in range(2))


def test_its_session_answers_as_shown() -> None:
    session = doctest.DocTestParser().get_doctest(block("pycon"), {}, "README.md", "README.md", 0)

    assert len(session.examples) == 4
    assert doctest.DocTestRunner().run(session).failed == 0


@pytest.mark.parametrize("name", ["pip install -e . &&", "pip install -e '.[test]' &&"])
def test_its_two_commands_are_there(name: str) -> None:
    assert README.count(name) == 1
