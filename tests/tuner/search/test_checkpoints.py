"""Checkpoints: whole or not there, never another trial's, no trouble to training, and gone when they are not needed."""

import contextlib
import dataclasses
import hashlib
import io
import json
import math
import resource
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toy import SMALL
from tuner.errors import CheckpointError
from tuner.experiment import parse
from tuner.recorders import Notice
from tuner.records import Role, TrialPlan
from tuner.search.checkpoint_files import MAGIC, decode, encode
from tuner.search.checkpoints import CheckpointFiles, CheckpointFolder, NoCheckpoints, checkpoints_of
from tuner.search.loop import Checkpoint, Trial
from tuner.trial import Measurement

EXPERIMENT = parse(SMALL, source="toy.toml")
PLAN = TrialPlan(3, 0, Role.SEARCH, 11, {"learning_rate": 0.1 + 0.2}, 8, "cpu")
TRIAL = Trial(5, PLAN)
CURVE = (Measurement(1, {"train/loss": 0.1 + 0.2}), Measurement(2, {"train/loss": 1e-300}))
CHECKPOINT = Checkpoint(CURVE, b"line\nline\n\x00\xff")
OWNER = {"seed": 3}

metrics = st.dictionaries(st.text(max_size=8), st.floats(allow_nan=False), max_size=3)
partial = st.dictionaries(st.text(max_size=8), st.integers(1, 2**40), max_size=2)
curves = st.lists(
    st.builds(Measurement, st.integers(1, 2**31 - 1), metrics, partial), max_size=4, unique_by=lambda each: each.step
).map(lambda curve: tuple(sorted(curve, key=lambda each: each.step)))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
headers = json_values | st.fixed_dictionaries(
    {
        "owner": st.just(OWNER) | json_values,
        "curve": st.lists(st.lists(json_values, max_size=4), max_size=3) | json_values,
    }
)


@contextmanager
def files(folder: Path, told: list[Notice] | None = None, *, every: float = 0) -> Iterator[CheckpointFiles]:
    """The checkpoints of a study, all written when this is left."""
    tell = (told if told is not None else []).append
    with CheckpointFolder(folder, every).of_study(EXPERIMENT, 16, tell=tell) as opened:
        yield opened


def read(content: bytes) -> Checkpoint:
    return decode(io.BytesIO(content), owner=OWNER)


def crafted(header: bytes, state: bytes = b"") -> bytes:
    """A file whose digest is right, whatever its header is."""
    return b"\n".join([MAGIC, hashlib.sha256(header + state).hexdigest().encode(), header, state])


def stored(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*") if each.is_file())


@given(curve=curves, state=st.binary(max_size=200))
def test_what_is_written_is_read_to_the_last_bit(curve: tuple[Measurement, ...], state: bytes) -> None:
    checkpoint = Checkpoint(curve, state)

    assert read(b"".join(encode(checkpoint, owner=OWNER))) == checkpoint


@given(where=st.integers(0, 400), flip=st.integers(1, 255))
def test_one_wrong_byte_is_noticed(where: int, flip: int) -> None:
    content = bytearray(b"".join(encode(CHECKPOINT, owner=OWNER)))
    content[where % len(content)] ^= flip

    with pytest.raises(ValueError, match=r"it is damaged|it is no checkpoint of this version"):
        read(bytes(content))


@given(length=st.integers(0, 400))
def test_a_part_is_no_checkpoint(length: int) -> None:
    content = b"".join(encode(CHECKPOINT, owner=OWNER))

    with pytest.raises(ValueError, match=r"it is damaged|it is no checkpoint of this version"):
        read(content[: length % len(content)])


def test_a_file_of_version_0_1_is_read() -> None:
    header = (
        b'{"owner": {"seed": 3}, "curve": [[1, {"train/loss": 0.5}, {}], [7, {"train/loss": NaN, "a": Infinity}, {}]]}'
    )

    found = read(crafted(header, b"state\n"))

    assert [each.step for each in found.curve] == [1, 7]
    assert found.curve[1].metrics["a"] == math.inf
    assert math.isnan(found.curve[1].metrics["train/loss"])
    assert found.state == b"state\n"


@given(header=headers)
def test_whatever_a_crafted_header_holds_it_is_a_checkpoint_or_refused(header: object) -> None:
    found = None
    with contextlib.suppress(ValueError):
        found = read(crafted(json.dumps(header).encode()))

    curve = found.curve if found is not None else ()
    assert all(type(each.step) is int and each.step > 0 for each in curve)
    assert all(isinstance(value, float) for each in curve for value in each.metrics.values())


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b'{"owner": ' * 100_000,
        b"1" * 5_000,
        b'{"owner": {"seed": 3}, "curve": [[1e400, {}, {}]]}',
        b'{"owner": {"seed": 3}, "curve": [[0, {}, {}]]}',
        b'{"owner": {"seed": 3}, "curve": [[99999999999999999999, {}, {}]]}',
        b'{"owner": {"seed": 3}, "curve": [[2, {}, {}], [1, {}, {}]]}',
        b'{"owner": {"seed": 3}, "curve": [[1, {"error": "0.1"}, {}]]}',
        b'{"owner": {"seed": 3}}',
        b"\xff\xfe",
        b"",
    ],
)
def test_a_header_that_no_worker_writes_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match="its measurements"):
        read(crafted(header))


def test_a_large_file_of_something_else_is_not_held_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "sparse"
    with file.open("wb") as written:
        written.write(MAGIC + b"\n" + b"0" * 64 + b"\n{}\n")
        written.truncate(200_000_000)

    tracemalloc.start()
    try:
        with file.open("rb") as opened, pytest.raises(ValueError, match="it is damaged"):
            decode(opened, owner=OWNER)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_the_next_owner_finds_where_a_trial_stood(tmp_path: Path) -> None:
    with files(tmp_path) as checkpoints:
        checkpoints.write(TRIAL, Checkpoint((), b"old"))
        checkpoints.write(TRIAL, CHECKPOINT)

    with files(tmp_path) as checkpoints:
        again = checkpoints.attach(Trial(9, dataclasses.replace(PLAN, lanes=2, device="cuda")))

    assert again.checkpoint == CHECKPOINT
    assert len(stored(tmp_path)) == 1


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(PLAN, seed=12),
        dataclasses.replace(PLAN, hyperparameters={"learning_rate": 0.3}),
    ],
)
def test_another_trials_checkpoint_is_ignored_and_told(tmp_path: Path, other: TrialPlan) -> None:
    told: list[Notice] = []
    with files(tmp_path, told) as checkpoints:
        checkpoints.write(TRIAL, CHECKPOINT)
    with files(tmp_path, told) as checkpoints:
        attached = checkpoints.attach(Trial(9, other))

    (file,) = stored(tmp_path)
    assert attached.checkpoint is None
    assert [each.text for each in told] == [
        f"the checkpoint {file} is ignored, and its trial starts again: it is another trial's"
    ]


def test_a_checkpoint_that_is_damaged_or_cannot_be_opened_is_ignored_and_told(tmp_path: Path) -> None:
    told: list[Notice] = []
    with files(tmp_path) as checkpoints:
        checkpoints.write(TRIAL, CHECKPOINT)
    (file,) = stored(tmp_path)
    file.write_bytes(file.read_bytes()[:-1])
    with files(tmp_path, told) as checkpoints:
        attached = [checkpoints.attach(TRIAL)]
        file.unlink()
        file.mkdir(parents=True)
        attached.append(checkpoints.attach(TRIAL))

    assert [each.checkpoint for each in attached] == [None, None]
    assert [each.text.rpartition(": ")[2] for each in told] == ["it is damaged", "Is a directory"]


def test_a_trial_with_a_result_and_a_complete_study_leave_nothing(tmp_path: Path) -> None:
    other = Trial(6, dataclasses.replace(PLAN, point=4))
    with files(tmp_path) as checkpoints:
        checkpoints.write(TRIAL, CHECKPOINT)
        checkpoints.write(other, CHECKPOINT)
        checkpoints.delete(PLAN)
    assert [each.name for each in stored(tmp_path)] == ["point=4.repeat=0.checkpoint"]

    with files(tmp_path) as checkpoints:
        checkpoints.clear()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_worker_had_half_written_is_removed(tmp_path: Path) -> None:
    with files(tmp_path) as checkpoints:
        checkpoints.write(TRIAL, CHECKPOINT)
    (file,) = stored(tmp_path)
    file.with_name(f"{file.name}.1234.partial").write_bytes(b"tuner che")

    with files(tmp_path):
        pass

    assert stored(tmp_path) == [file]


def test_a_full_disk_is_told_once_and_leaves_the_last_checkpoint_as_it_was(tmp_path: Path) -> None:
    told: list[Notice] = []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with files(tmp_path, told) as checkpoints:
        checkpoints.write(TRIAL, CHECKPOINT)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with files(tmp_path, told) as checkpoints:
            for _ in range(3):
                checkpoints.write(TRIAL, Checkpoint(CURVE, bytes(8192)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert len(told) == 1
    assert "batch size 16: checkpoints cannot be kept (" in told[0].text
    assert told[0].text.endswith("File too large); training goes on")
    assert len(stored(tmp_path)) == 1
    with files(tmp_path) as checkpoints:
        assert checkpoints.attach(TRIAL).checkpoint == CHECKPOINT


def test_a_trainer_that_cannot_save_is_told_once_and_not_asked_again(tmp_path: Path) -> None:
    told: list[Notice] = []
    with files(tmp_path, told) as checkpoints:
        checkpoints.write(TRIAL, None)
        checkpoints.write(TRIAL, None)
        due = checkpoints.are_due(is_last=True)

    assert not due
    assert len(told) == 1
    assert "its trainer cannot save trials" in told[0].text


def test_it_is_time_to_save_when_the_time_has_passed_and_when_the_worker_stops(tmp_path: Path) -> None:
    with files(tmp_path, every=3600) as rarely:
        assert not rarely.are_due(is_last=False)
        assert rarely.are_due(is_last=True)
    with closing(CheckpointFiles(tmp_path, EXPERIMENT, 16, every=0, tell=lambda _: None)) as often:
        often.close()
        assert often.are_due(is_last=False)


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    with checkpoints_of(None, EXPERIMENT, 16, tell=lambda _: None) as checkpoints:
        assert isinstance(checkpoints, NoCheckpoints)
        assert not checkpoints.are_due(is_last=True)
        assert checkpoints.attach(TRIAL) is TRIAL


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    CheckpointFolder(tmp_path / "new" / "folder", 60).check()
    with pytest.raises(CheckpointError, match=r"checkpoints cannot be kept in .*: .*; give another folder with"):
        CheckpointFolder(tmp_path / "file", 60).check()
    assert list((tmp_path / "new" / "folder").iterdir()) == []
