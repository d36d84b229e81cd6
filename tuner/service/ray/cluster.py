"""The parts of Ray that are used: connecting to a cluster, its resources, and typed handles of actors.

Only Ray Core is used. Ray's own messages are kept off the terminal; they are in its logs, in `/tmp/ray/session_latest`.
"""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager, redirect_stdout
from typing import IO, ParamSpec, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import ray
from ray import ObjectRef
from ray.exceptions import RayActorError, RayTaskError

from tuner.errors import TrainerLost, TunerError
from tuner.service.signals import SIGNALS
from tuner.stores.opening import database_at
from tuner.stores.urls import POSTGRESQL, without_passwords

LOCAL_OBJECTS_BYTES = 100_000_000
"""Memory for objects in a cluster of our own. Ray would take a third of the machine's; measurements are small."""
CONNECT_SECONDS = 10.0
LINE_LENGTH = 300

Given = ParamSpec("Given")
Returned = TypeVar("Returned")


class Remote(Protocol[Given, Returned]):
    """An actor's method as Ray offers it."""

    @property
    def remote(self) -> Callable[Given, "ObjectRef[Returned]"]: ...


def fetch(reference: "ObjectRef[Returned]") -> Returned:
    """The result of a call.

    Raises:
        TrainerLost: The actor died meanwhile.
        Exception: Any error that the call raised.
    """
    try:
        return ray.get(reference)
    except RayTaskError as error:
        raise error.cause from error
    except RayActorError as error:
        raise TrainerLost(f"a trainer is gone: {one_line(error)}") from error


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Within it, this process drives a cluster: the one it drives already, or that at the address.

    Args:
        address: As `ray.init` takes it: `auto`, `local`, `host:port`, `ray://host:port`. If empty, that of
            `RAY_ADDRESS`, else the one that runs on this machine, else one of our own.

    Raises:
        TunerError: There is none.
    """
    if ray.is_initialized():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster of ours reports to nobody
    _connect(address)
    for number, handler in before.items():  # Ray has set its own
        signal.signal(number, handler)
    quiet = _WithoutRay(sys.stdout)
    with redirect_stdout(cast(IO[str], quiet)):
        try:
            yield
        finally:
            quiet.muted = threading.current_thread()  # as it leaves, Ray prints what it has held back
            ray.shutdown()


def _connect(address: str) -> None:
    where = address or os.environ.get("RAY_ADDRESS") or "auto"
    try:
        if where != "local":
            try:
                _check_reachable(where)
                ray.init(where, log_to_driver=False, logging_level=logging.ERROR)
            except ConnectionError as error:
                if where != "auto" or address or error.__cause__:  # the last: one is here, and refused us
                    raise
            else:
                return
        ray.init(
            "local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=LOCAL_OBJECTS_BYTES,
        )
    except (OSError, RuntimeError, ValueError) as error:
        hint = "if it asks for a token, set RAY_AUTH_MODE=token"
        raise TunerError(f"there is no Ray cluster at {where}: {one_line(error)}; {hint}") from error


def _check_reachable(address: str) -> None:
    """Raise `OSError` if nobody answers at `host:port` or `ray://host:port`; Ray would wait for ten minutes."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    if parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), CONNECT_SECONDS).close()


def room(*, cpus: float, gpus: float) -> int:
    """How many workers with these resources an empty cluster holds; at least one, because the cluster may grow."""
    has: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    wanted = {"CPU": cpus, "GPU": gpus}
    return max(1, min((int(has.get(name, 0) / much) for name, much in wanted.items() if much), default=1))


def has_gpus() -> bool:
    """Whether any machine of the cluster has a GPU."""
    return bool(ray.cluster_resources().get("GPU"))  # type: ignore[no-untyped-call]


def hosts() -> set[str]:
    """The names of the cluster's machines."""
    return {str(each["NodeManagerHostname"]) for each in ray.nodes() if each["Alive"]}  # type: ignore[no-untyped-call]


def sent_url(url: str, hosts: Set[str]) -> str:
    """A store's URL as the workers on these machines are told it: without passwords, which Ray would show.

    Raises:
        TunerError: It is a file, and there are other machines than this one.
    """
    location = database_at(url).location
    others = sorted(hosts - {os.uname().nodename})
    if location.drivername != POSTGRESQL and others:
        raise TunerError(
            f"a store in a file is for one machine, and this Ray cluster has others ({', '.join(others[:3])});"
            " let TUNER_STORE name a PostgreSQL database"
        )
    return without_passwords(location)


def own_url(sent: str, environment: Mapping[str, str]) -> str:
    """The URL by which this machine reaches a store: that of `TUNER_STORE` here, if it names the same one."""
    own = environment.get("TUNER_STORE")
    return own if own and without_passwords(database_at(own).location) == sent else sent


def password_advice(sent: str, error: Exception) -> str:
    """What to add to the error if a store cannot be opened here because of its password."""
    if not sent.startswith(POSTGRESQL) or "password" not in str(error):
        return ""
    where = f"set TUNER_STORE, PGPASSWORD or PGPASSFILE where Ray is started on {os.uname().nodename}"
    return f"; Ray is not given the store's password: {where}"


def one_line(error: BaseException) -> str:
    """The message of an error in one line. Ray's own messages fill pages."""
    return " ".join(str(error).split())[:LINE_LENGTH] or type(error).__name__


class _WithoutRay:
    """A stream without the output of Ray's threads, which print pages about every process that dies.

    Attributes:
        muted: Another thread whose output is left out.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.muted: threading.Thread | None = None

    def write(self, text: str) -> int:
        thread = threading.current_thread()
        return len(text) if thread is self.muted or thread.name.startswith("ray_") else self._stream.write(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
