"""Seeds: the same in every version, since trials are recorded with theirs, and different wherever anything differs."""

from itertools import product

from tuner.trial import hash_seed, sampler_seed, trial_seed


def test_seeds_are_those_of_every_version() -> None:
    assert hash_seed("a", 1) == 4_294_491_576_641_134_471
    assert trial_seed(experiment_seed=3, batch_size=64, round=2, point=17, repeat=1) == 179_548_968_056_844_461
    assert sampler_seed(experiment_seed=3, batch_size=64, round=2) == 648_912_496_464_450_305


def test_every_trial_has_a_seed_of_its_own() -> None:
    seeds = {
        trial_seed(experiment_seed=seed, batch_size=size, round=number, point=point, repeat=repeat)
        for seed, size, number, point, repeat in product(range(3), (8, 16, 32), range(1, 4), range(3), range(3))
    }

    assert len(seeds) == 3**5
    assert all(0 <= each < 2**63 for each in seeds)


def test_every_round_of_every_study_has_a_sampler_seed_of_its_own() -> None:
    seeds = {
        sampler_seed(experiment_seed=seed, batch_size=size, round=number)
        for seed, size, number in product(range(3), (8, 16, 32), range(1, 4))
    }

    assert len(seeds) == 3**3
