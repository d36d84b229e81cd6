"""What tests of the control plane share."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tuner.stores import Store
from tuner.stores.opening import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with closing(open_store(f"sqlite:///{tmp_path / 'tuner.db'}")) as opened:
        yield opened
