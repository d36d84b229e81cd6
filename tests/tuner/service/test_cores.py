"""Who trains where."""

import sys

import pytest

from tuner.errors import TunerError
from tuner.service.cores import cores, devices_of_workers


@pytest.mark.parametrize("accelerators", [2], indirect=True)
@pytest.mark.usefixtures("accelerators")
class TestWithAccelerators:
    def test_every_one_has_a_worker(self) -> None:
        assert devices_of_workers("auto", workers=None) == ["cuda:0", "cuda:1"]
        assert devices_of_workers("cuda", workers=None) == ["cuda:0", "cuda:1"]

    def test_more_workers_share_them(self) -> None:
        assert devices_of_workers("auto", workers=3) == ["cuda:0", "cuda:1", "cuda:0"]

    def test_one_that_is_named_has_one_worker_unless_told(self) -> None:
        assert devices_of_workers("cuda:1", workers=None) == ["cuda:1"]
        assert devices_of_workers("cuda:1", workers=2) == ["cuda:1", "cuda:1"]

    def test_the_processor_can_be_asked_for(self) -> None:
        assert devices_of_workers("cpu", workers=None) == ["cpu"] * cores()

    def test_one_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(TunerError, match="device cuda:2: torch sees 2 GPUs here; --device auto or cpu"):
            devices_of_workers("cuda:2", workers=None)


@pytest.mark.parametrize("accelerators", [0], indirect=True)
@pytest.mark.usefixtures("accelerators")
class TestWithoutAccelerators:
    def test_every_core_has_a_worker(self) -> None:
        assert devices_of_workers("auto", workers=None) == ["auto"] * cores()

    def test_more_workers_than_cores_would_only_slow_one_another_down(self) -> None:
        assert devices_of_workers("auto", workers=cores() + 1) == ["auto"] * cores()
        assert devices_of_workers("cpu", workers=1) == ["cpu"]

    def test_asking_for_one_is_refused(self) -> None:
        with pytest.raises(TunerError, match="device cuda: torch sees 0 GPUs here"):
            devices_of_workers("cuda", workers=None)


def test_a_workload_that_has_not_loaded_torch_is_left_to_find_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)

    assert devices_of_workers("auto", workers=cores() + 1) == ["auto"] * (cores() + 1)
    assert devices_of_workers("cuda", workers=None) == ["cuda"]
