"""How much of the variation of a study's losses each hyperparameter explains: functional ANOVA, as Optuna computes it.

Over the whole space and all finished search trials, those that diverged or fell short included (Hutter et al. 2014). So
it says what keeps training from working at all, more than what refines a good optimum. A forest fitted to 50 trials
changes with its own seed: take the first digit. PED-ANOVA, Optuna's default, compares the best tenth with the rest;
of 50 trials that is five, and it follows which five.
"""

from collections.abc import Mapping

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from tuner.distributions import distributions_of, encode
from tuner.records import Role, StudyRecord

LEAST_TRIALS = 10
"""Fewer say nothing."""


def importances(study: StudyRecord) -> Mapping[str, float]:
    """The share of the explained variation that is due to each searched parameter, by name; they add up to one.

    Empty if there is one parameter, fewer than `LEAST_TRIALS` results, or no difference between them.
    """
    distributions = distributions_of(study.space)
    ended = [(each.plan.hyperparameters, each.end.loss) for each in study.finished(Role.SEARCH) if each.end is not None]
    if len(distributions) < 2 or len(ended) < LEAST_TRIALS or len({loss for _, loss in ended}) < 2:
        return {}
    searched = optuna.create_study()
    searched.add_trials(
        [
            create_trial(value=loss, params=encode(study.space, point), distributions=distributions)
            for point, loss in ended
        ]
    )
    found = get_param_importances(searched, evaluator=FanovaImportanceEvaluator(seed=0))
    names = dict(zip(distributions, study.space.searched(), strict=True))
    return {names[each]: float(found[each]) for each in distributions}
