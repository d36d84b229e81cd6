"""A clock that jumps: what is stored of a trial does not depend on it."""

from datetime import datetime, timedelta, tzinfo

import pytest

from tests.contracts.stored import achieved, claimed, plan
from tuner.stores import Store


class Clock(datetime):
    """The time, which somebody may set."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return super().now(tz) + cls.ahead


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_trial_lasts_as_long_as_it_did_though_the_clock_is_set_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    monkeypatch.setattr("tuner.stores.relational.claims.datetime", Clock)
    with claimed(store) as claim:
        number = claim.start(plan(0))
        monkeypatch.setattr(Clock, "ahead", timedelta(hours=hours))
        stored = claim.finish(number, achieved(), loss=1.0)

    assert stored.ended is not None
    assert timedelta() <= stored.ended - stored.started < timedelta(minutes=1)
