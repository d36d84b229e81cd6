"""Files in the formats of published data sets, with random images."""

import gzip
import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (120, 6, 5), dtype=np.uint8)
LABELS = RANDOM.integers(0, 10, 120, dtype=np.uint8)
COLOURS = RANDOM.integers(0, 256, (60, 3072), dtype=np.uint8)
"""Images as CIFAR's files have them: all of red, then green, then blue."""


def idx(numbers: NDArray[np.uint8]) -> bytes:
    """Numbers as an IDX file."""
    return bytes([0, 0, 8, numbers.ndim]) + np.array(numbers.shape, dtype=">u4").tobytes() + numbers.tobytes()


def idx_files() -> dict[str, bytes]:
    """The files of a data set in the format of MNIST: 120 images to train on, of which the first 30 are the test's."""
    return {
        f"{name}-{kind}-ubyte": idx(numbers)
        for name, images, labels in (("train", IMAGES, LABELS), ("t10k", IMAGES[:30], LABELS[:30]))
        for kind, numbers in (("images-idx3", images), ("labels-idx1", labels))
    }


def write_idx(folder: Path, *, packed: bool = False) -> Path:
    """The folder, with these files."""
    folder.mkdir(parents=True)
    for name, content in idx_files().items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


def cifar_files(classes: int) -> dict[str, bytes]:
    """The files of CIFAR-10 or CIFAR-100, with 50 images to train on and 10 for the test."""
    labels = [each % classes for each in range(60)]
    if classes == 100:
        files = {"train": slice(0, 50), "test": slice(50, 60)}
        meta, key, kind = "meta", "fine_label_names", "fine_labels"
    else:
        files = {f"data_batch_{each + 1}": slice(10 * each, 10 * each + 10) for each in range(5)}
        files["test_batch"] = slice(50, 60)
        meta, key, kind = "batches.meta", "label_names", "labels"
    content: dict[str, object] = {name: {"data": COLOURS[rows], kind: labels[rows]} for name, rows in files.items()}
    content[meta] = {key: [f"class {each}" for each in range(classes)]}
    return {name: pickle.dumps(each) for name, each in content.items()}


def tar_of(folder: str, files: dict[str, bytes]) -> bytes:
    """A compressed archive of files in a folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def write_image(path: Path, *, colour: tuple[int, int, int] = (0, 0, 0), size: tuple[int, int] = (20, 10)) -> None:
    """An image file of one colour; `size` is its width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
