"""Who trains where."""

import sys
from types import SimpleNamespace

import pytest

from tuner.cores import accelerators, cores, devices


def test_every_accelerator_has_a_worker() -> None:
    assert devices("auto", workers=None, accelerators=2) == ["cuda:0", "cuda:1"]
    assert devices("cuda", workers=None, accelerators=1) == ["cuda:0"]


def test_more_workers_than_accelerators_share_them() -> None:
    assert devices("auto", workers=3, accelerators=2) == ["cuda:0", "cuda:1", "cuda:0"]


def test_without_an_accelerator_every_core_has_a_worker() -> None:
    assert devices("auto", workers=None, accelerators=0) == ["auto"] * cores()
    assert devices("cpu", workers=None, accelerators=2) == ["cpu"] * cores()


def test_a_device_that_is_named_has_one_worker_unless_told() -> None:
    assert devices("cuda:1", workers=None, accelerators=2) == ["cuda:1"]
    assert devices("cuda:1", workers=2, accelerators=2) == ["cuda:1", "cuda:1"]


def test_accelerators_are_those_of_the_torch_that_a_workload_has_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(device_count=lambda: 3)))

    assert accelerators() == 3

    monkeypatch.delitem(sys.modules, "torch")

    assert accelerators() == 0
