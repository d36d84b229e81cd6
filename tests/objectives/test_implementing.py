"""Whether a value implements a Protocol, asked of its class."""

import pytest

from objectives.implementing import implements
from objectives.optimizers import Averages, NeedsFactors, Prepares
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.optimizers.kfac import Kfac


class Averaging(HeavyBall):
    """An optimizer whose parameters are not those that are measured."""

    measured = HeavyBall.step


def test_it_is_what_isinstance_says_for_each_class_and_each_protocol() -> None:
    for optimizer in (HeavyBall(), Kfac(), Averaging(), HeavyBall()):
        for protocol in (Averages, Prepares):
            assert implements(optimizer, protocol) == isinstance(optimizer, protocol)
    assert implements(Averaging(), Averages)
    assert not implements(HeavyBall(), Averages)


def test_a_protocol_with_attributes_has_to_be_asked_of_values() -> None:
    with pytest.raises(TypeError, match="non-method members"):
        implements(Kfac(), NeedsFactors)
