"""A store in a folder where nothing can be written: it can be read."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.contracts.stored import achieved, claimed, plan, small
from tuner.errors import StoreError
from tuner.stores.opening import open_progress, open_records, open_store

NOBODY = 65534


@contextmanager
def somebody_else() -> Iterator[None]:
    """Within it this process may do what others may: root could write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def url() -> Iterator[str]:
    """A store with a trial, in a folder in which nobody may write. Others may enter it, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="tuner-closed-"))
    url = f"sqlite:///{folder}/tuner.db"
    with closing(open_store(url)) as store:
        store.submit(small())
        with claimed(store) as claim:
            claim.finish(claim.start(plan(0)), achieved(), loss=1.0)
    folder.chmod(0o555)
    for each in folder.rglob("*"):
        each.chmod(0o555 if each.is_dir() else 0o444)
    yield url
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_store_where_nothing_can_be_written_is_read(url: str) -> None:
    with somebody_else():
        with closing(open_records(url)) as records:
            record, curves = records.record("small"), records.curves("small", 64)
        with closing(open_progress(url)) as progress:
            (found,) = progress.read()

    assert [len(each.trials) for each in record.studies] == [0, 1]
    assert list(curves) == [0]
    assert [each.done for each in found.studies] == [0, 1]
    assert sorted(each.name for each in Path(url.removeprefix("sqlite:///")).parent.glob("tuner*")) == ["tuner.db"]


def test_what_is_claimed_there_is_told(url: str) -> None:
    folder = Path(url.removeprefix("sqlite:///")).parent
    folder.chmod(0o755)
    for each in folder.rglob("*"):
        each.chmod(0o755 if each.is_dir() else 0o644)
    with closing(open_store(url)) as store, store.claim("small", 64, worker="host/1", device="cpu"):
        folder.chmod(0o555)
        with somebody_else(), closing(open_progress(url)) as progress:
            (found,) = progress.read()

    assert [each.holder and each.holder.worker for each in found.studies] == [None, "host/1"]


def test_a_log_that_nobody_can_read_is_an_error_and_no_older_answer(url: str) -> None:
    path = Path(url.removeprefix("sqlite:///"))
    (path.parent / "tuner.db-wal").write_bytes(b"what a killed writer has left")

    with (
        somebody_else(),
        pytest.raises(StoreError, match=r"cannot be opened: .*; check the path .* and its permissions"),
    ):
        open_records(url)


def test_a_reader_sees_what_is_written_after_it_has_begun(url: str) -> None:
    folder = Path(url.removeprefix("sqlite:///")).parent
    with somebody_else():
        records = open_records(url)
        assert len(records.record("small").studies[1].trials) == 1
    for each in (folder, *folder.rglob("*")):
        each.chmod(0o777 if each.is_dir() else 0o666)
    with closing(open_store(url)) as store, claimed(store) as claim:
        claim.finish(claim.start(plan(1)), achieved(), loss=1.0)

    with closing(records):
        assert len(records.record("small").studies[1].trials) == 2
