"""`tuner doctor`: what a machine lacks to run experiments, and what to do about it."""

import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from tuner.errors import RecorderError, StoreError
from tuner.passwords import shown
from tuner.recorders.mlflow.connection import is_loading, local_database, ping
from tuner.recorders.mlflow.ownership import shown_identity
from tuner.recorders.patience import NoAnswer, Patience, answer, begin
from tuner.stores.opening import database_at
from tuner.stores.probing import probe
from tuner.stores.relational.tables import SCHEMA_VERSION
from tuner.stores.urls import visible

OLDEST_PYTHON = (3, 11)
SLOW_STORE_SECONDS = 0.02
CLOCK_SECONDS = 2.0
FULL_BYTES, SCARCE_BYTES = 100_000_000, 1_000_000_000
CHECK_SECONDS = 8.0
"""How long a check may take; all are made at the same time."""

TORCH = """
import json, torch
devices = [torch.cuda.get_device_name(each) for each in range(torch.cuda.device_count())]
print(json.dumps([torch.__version__, torch.version.cuda or "", devices]))
"""
"""Run in a process of its own: the control plane does not load torch."""


TORCH_SECONDS = 7.0
"""How long torch may take to load, a little less than a check may take, so that its process is ended."""

ADVICE = {
    "torch": "it is loaded from a slow disk or network folder: a worker needs as long to start",
    "store": "the server, its address or the way there hangs: check that TUNER_STORE or --store names it",
    "MLflow": "training goes on without it, and `tuner sync` catches up; check MLFLOW_TRACKING_URI",
    "disk": "the disk or network folder hangs, in which runs are written",
}
"""What to do about a check that does not end."""


class Health(StrEnum):
    """What a check came to. `WARNING`: it works, but not as well as it could."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one subject, and what to do about it."""

    subject: str
    health: Health
    found: str
    advice: str = ""


def examine(*, store_url: str, tracking_uri: str, folder: Path) -> Iterator[Finding]:
    """Check everything that a run needs, all at the same time. A check that does not end is a finding too.

    Args:
        store_url: As `tuner.stores.opening.open_store` takes it.
        tracking_uri: Where MLflow is.
        folder: Where a run writes.

    Raises:
        StoreError: The store's URL cannot be read.
    """
    database_at(store_url)
    checks: dict[str, Callable[[], Sequence[Finding]]] = {
        "Python": lambda: [check_python()],
        "torch": lambda: [check_torch()],
        "Ray": lambda: [check_ray()],
        "store": lambda: list(check_store(store_url)),
        "MLflow": lambda: [check_mlflow(tracking_uri)],
        "disk": lambda: [check_disk(folder)],
        "time zone": lambda: [check_time_zone(datetime.now().astimezone())],
    }
    yield from checked(checks, seconds=CHECK_SECONDS)


def checked(checks: Mapping[str, Callable[[], Sequence[Finding]]], *, seconds: float) -> Iterator[Finding]:
    """What checks find that are made at the same time, in order.

    Args:
        checks: By subject.
        seconds: How long for. One that takes longer is left behind.
    """
    end = time.monotonic() + seconds
    begun = {subject: begin(check) for subject, check in checks.items()}
    for subject, check in begun.items():
        try:
            yield from answer(check, end - time.monotonic())
        except NoAnswer:
            yield unanswered(subject, seconds=seconds)


def unanswered(subject: str, *, seconds: float) -> Finding:
    """What there is to say of a check that did not end in time."""
    if subject == "MLflow" and is_loading():
        return Finding(subject, Health.WARNING, f"loading it takes more than {seconds:g} seconds", ADVICE["torch"])
    found = f"did not answer within {seconds:g} seconds"
    return Finding(subject, Health.BROKEN, found, ADVICE.get(subject, "something on this machine hangs"))


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Whether Python is new enough."""
    found = f"{'.'.join(map(str, version))} on {platform.platform()}"
    if version >= OLDEST_PYTHON:
        return Finding("Python", Health.OK, found)
    return Finding("Python", Health.BROKEN, found, "install Python 3.11 or newer, and tuner in it")


def check_torch(python: str = sys.executable) -> Finding:
    """Whether training code can be loaded, and on what it can train."""
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own code
            [python, "-c", TORCH], capture_output=True, text=True, check=True, timeout=TORCH_SECONDS
        )
        version, cuda, devices = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return Finding(
            "torch", Health.WARNING, f"loading it takes more than {TORCH_SECONDS:g} seconds", ADVICE["torch"]
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        output = getattr(error, "stderr", None) or str(error)
        reason = str(output).strip().splitlines()[-1]
        return Finding("torch", Health.BROKEN, f"cannot be loaded: {reason}", "pip install torch torchvision")
    if devices:
        return Finding("torch", Health.OK, f"{version} on {', '.join(devices)} (CUDA {cuda})")
    if shutil.which("nvidia-smi") is None:
        return Finding("torch", Health.OK, f"{version} on the CPU; there is no GPU")
    found = f"{version} on the CPU, though there is an NVIDIA driver"
    wanted = "compare the CUDA version that nvidia-smi shows" if cuda else "install a build with CUDA"
    return Finding("torch", Health.WARNING, found, f"{wanted}: https://pytorch.org/get-started/locally")


def check_ray() -> Finding:
    """Whether workers can live on a Ray cluster; few need that."""
    try:
        found = f"{metadata.version('ray')} is installed"
    except metadata.PackageNotFoundError:
        found = "is not installed; pip install 'batch-tuner[ray]' brings it, for --engine ray"
    return Finding("Ray", Health.OK, found)


def check_store(url: str) -> Iterator[Finding]:
    """Whether the store answers, how fast, what it is, and whether its clock agrees with ours."""
    database = database_at(url)
    shown = visible(database.location)
    if not database.exists():
        yield Finding("store", Health.OK, f"none yet at {shown}; `tuner run` or `tuner submit` makes it")
        return
    try:
        found = probe(database)
    except StoreError as error:
        yield Finding("store", Health.BROKEN, str(error), "see the message; `tuner status` tries again")
        return
    yield judge_store(shown, found.version, found.latency, identity=found.identity)
    if abs(found.clock) > CLOCK_SECONDS:
        off = f"the store's clock differs from ours by {abs(found.clock):.0f} s"
        yield Finding("clock", Health.WARNING, off, "let both follow a time server (NTP); times shown are off")


def judge_store(shown: str, version: int | None, latency: float, *, identity: str = "") -> Finding:
    """What there is to say of a store that answers."""
    found = f"{shown} answers in {1000 * latency:.1f} ms"
    if version is None:
        return Finding("store", Health.OK, f"{found}; no tables of ours yet, `tuner run` or `tuner submit` makes them")
    found = f"{found}; version {version}" + (f", called {shown_identity(identity)} in MLflow" if identity else "")
    if version > SCHEMA_VERSION:
        return Finding("store", Health.BROKEN, f"{found}, newer than {SCHEMA_VERSION}", "update batch-tuner")
    if version < SCHEMA_VERSION:
        advice = f"the next command upgrades it to version {SCHEMA_VERSION}; older workers should end before"
        return Finding("store", Health.WARNING, found, advice)
    if latency > SLOW_STORE_SECONDS:
        return Finding("store", Health.WARNING, found, "a trial is about 50 questions: run workers nearer to the store")
    return Finding("store", Health.OK, found)


def check_mlflow(tracking_uri: str) -> Finding:
    """Whether MLflow answers."""
    try:
        database = local_database(tracking_uri)
        if database is not None and not database.exists():
            return Finding("MLflow", Health.OK, f"none yet at {shown(tracking_uri)}; `tuner run` makes it")
        ping(tracking_uri, Patience(CHECK_SECONDS))
    except RecorderError as error:
        advice = "start it, or change MLFLOW_TRACKING_URI; meanwhile training goes on, and `tuner sync` catches up"
        return Finding("MLflow", Health.BROKEN, str(error), advice)
    return Finding("MLflow", Health.OK, f"{shown(tracking_uri)} answers")


def check_disk(folder: Path) -> Finding:
    """Whether there is room where a run writes."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    return judge_disk(there, shutil.disk_usage(there).free)


def judge_disk(folder: Path, free: int) -> Finding:
    """What there is to say of so many free bytes."""
    found = f"{free / 1e9:.1f} GB free in {folder}"
    if free >= SCARCE_BYTES:
        return Finding("disk", Health.OK, found)
    health = Health.BROKEN if free < FULL_BYTES else Health.WARNING
    return Finding("disk", health, found, "make room, or run in another folder: a full disk stops the store")


def check_time_zone(now: datetime) -> Finding:
    """Whether optuna-dashboard, which takes local times for UTC, will show true durations."""
    found = f"{now.tzname()}, {now:%z} from UTC"
    if not now.utcoffset():
        return Finding("time zone", Health.OK, found)
    advice = "set TZ=UTC for workers: Optuna ends trials in local time, so its dashboard shows wrong durations"
    return Finding("time zone", Health.WARNING, found, advice)
