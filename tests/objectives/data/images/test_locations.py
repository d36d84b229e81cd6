"""Files of published data sets are found where torchvision puts them, downloaded if there is a network, or named."""

import gzip
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from objectives.data.cifar10 import Cifar10
from objectives.data.images.locations import VARIABLE, data_folder
from objectives.data.kmnist import Kmnist
from objectives.data.mnist import Mnist
from tests.objectives.data.images.written import cifar_files, idx_files, md5, tar_of, write_idx
from tuner.errors import ConfigError

ASKED = 8
"""Requests for four files: torchvision first asks for each whether it is elsewhere."""


class Quiet(SimpleHTTPRequestHandler):
    """Answers with files, and notes what it was asked for."""

    asked: list[str] = []  # noqa: RUF012 - of all of them

    def log_message(self, format: str, *args: object) -> None:
        if self.command == "GET":
            self.asked.append(self.path)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of data sets, which is not there yet."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose files a server on this machine gives out, in place of torchvision's."""
    folder = tmp_path / "served"
    folder.mkdir()
    Quiet.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    packed = {f"{name}.gz": gzip.compress(content) for name, content in idx_files().items()}
    for name, content in packed.items():
        (folder / name).write_bytes(content)
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [url])
    monkeypatch.setattr(datasets.KMNIST, "resources", [(name, md5(content)) for name, content in packed.items()])
    files = cifar_files(10)
    archive = tar_of("cifar-10-batches-py", files)
    (folder / "cifar.tar.gz").write_bytes(archive)
    monkeypatch.setattr(datasets.CIFAR10, "url", f"{url}cifar.tar.gz")
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(archive))
    for each in ("train_list", "test_list"):
        lists = [[name, md5(files[name])] for name, _ in getattr(datasets.CIFAR10, each)]
        monkeypatch.setattr(datasets.CIFAR10, each, lists)
    monkeypatch.setitem(datasets.CIFAR10.meta, "md5", md5(files["batches.meta"]))
    monkeypatch.delenv("TUNER_OFFLINE")
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_default_folder_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path))

    assert data_folder() == tmp_path / "data"


def test_missing_files_are_named_with_their_folder(root: Path) -> None:
    (write_idx(root / "MNIST" / "raw") / "t10k-labels-idx1-ubyte").unlink()

    with pytest.raises(ConfigError) as caught:
        Mnist().load()

    (problem,) = caught.value.problems
    assert problem.message == (
        f"{root}/MNIST/raw lacks t10k-labels-idx1-ubyte of MNIST, and nothing is downloaded, as TUNER_OFFLINE is set; "
        "put them there, or set TUNER_DATA to a folder with MNIST/raw"
    )


def test_files_are_downloaded_once_to_where_torchvision_looks_for_them(root: Path, served: Path) -> None:
    splits = Kmnist().load()

    assert [len(each) for each in (splits.train, splits.validation, splits.test)] == [110, 10, 30]
    assert len(datasets.KMNIST(root, train=True)) == 120
    assert len(Quiet.asked) == ASKED
    assert Kmnist().load() is splits
    assert [each for each in root.iterdir() if each.name.startswith(".download")] == []


def test_an_archive_is_downloaded_and_unpacked(root: Path, served: Path) -> None:
    splits = Cifar10().load()

    assert len(splits.train) == 45
    assert len(datasets.CIFAR10(root, train=False)) == 10


def test_workers_that_start_together_download_once(root: Path, served: Path) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(Kmnist().load().train))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert found == [110] * 4
    assert len(Quiet.asked) == ASKED


def test_a_download_with_a_wrong_checksum_is_refused_and_nothing_of_it_is_kept(root: Path, served: Path) -> None:
    (served / "train-labels-idx1-ubyte.gz").write_bytes(b"another file")

    with pytest.raises(ConfigError, match=r"cannot be downloaded: File not found or corrupted.; put them there"):
        Kmnist().load()

    assert not (root / "KMNIST").exists()
    assert [each for each in root.iterdir() if each.suffix != ".lock"] == []


def test_without_a_network_the_reason_is_said(root: Path, served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.KMNIST, "mirrors", ["http://127.0.0.1:9/"])

    with pytest.raises(ConfigError, match=r"KMNIST/raw lacks train-images.* cannot be downloaded: .*refused"):
        Kmnist().load()


def test_a_server_that_does_not_answer_is_given_up(root: Path, served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = threading.Event()
    monkeypatch.setattr(Quiet, "do_GET", lambda self: silent.wait(30))
    monkeypatch.setattr(Quiet, "do_HEAD", lambda self: silent.wait(30))
    monkeypatch.setattr("objectives.data.images.locations.PATIENCE", 0.2)

    with pytest.raises(ConfigError, match=r"cannot be downloaded: .*timed out"):
        Kmnist().load()
    silent.set()


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))

    with pytest.raises(ConfigError, match=r"file/KMNIST/raw lacks .* cannot be downloaded: .*File exists"):
        Kmnist().load()


def test_the_splits_of_a_format_are_those_of_mnist(root: Path) -> None:
    write_idx(root / "KMNIST" / "raw")
    write_idx(root / "MNIST" / "raw")

    ours, theirs = Kmnist().load(), Mnist().load()

    assert torch.equal(ours.train.inputs, theirs.train.inputs)
    assert np.array_equal(ours.validation.labels, theirs.validation.labels)
