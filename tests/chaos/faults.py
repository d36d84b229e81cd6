"""What fails around the workers: PostgreSQL and MLflow, in the ways that they fail in practice."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

import psycopg

from tests.bad_mlflow import Fault as BadAnswers
from tests.bad_mlflow import bad_server
from tests.servers import MlflowServer, PostgresqlServer

REST_SECONDS = (2.0, 8.0)
"""How long nothing but workers fails between two faults."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that fails for a while.

    Attributes:
        name: What it is counted under.
        seconds: For how long.
        happening: Within it, it fails.
    """

    name: str
    seconds: float
    happening: Callable[[], AbstractContextManager[None]]


@dataclass(slots=True)
class Weather:
    """Makes faults happen one after the other, in a thread of its own, until it is told to clear up.

    Every fault happens once, in the given order, and then again in any order.

    Attributes:
        happened: How often each did.
    """

    faults: Sequence[Fault]
    chance: random.Random
    happened: Counter[str] = field(default_factory=Counter)
    _over: threading.Event = field(default_factory=threading.Event)
    _error: BaseException | None = None

    @property
    def is_through(self) -> bool:
        """Whether every fault has happened, or one of them could not be made."""
        return self._error is not None or all(self.happened[each.name] for each in self.faults)

    @contextmanager
    def raging(self) -> Iterator[None]:
        """Within it, faults happen; the last one is over when this ends. Raises what a fault raised."""
        thread = threading.Thread(target=self._rage)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
        if self._error is not None:
            raise self._error

    def _rage(self) -> None:
        try:
            order = list(self.faults)
            while not self._over.is_set():
                for fault in order:
                    if self._over.wait(self.chance.uniform(*REST_SECONDS)):
                        return
                    with fault.happening():
                        time.sleep(fault.seconds)
                    self.happened[fault.name] += 1
                self.chance.shuffle(order)
        except BaseException as error:
            self._error = error


def of_postgresql(server: PostgresqlServer, urls: Sequence[str]) -> Sequence[Fault]:
    """How a PostgreSQL server fails that holds these databases."""

    @contextmanager
    def crashed() -> Iterator[None]:
        server.crash()
        yield
        server.start()

    @contextmanager
    def read_only() -> Iterator[None]:
        set_read_only(server.url, True)
        yield
        set_read_only(server.url, False)

    @contextmanager
    def locked() -> Iterator[None]:
        with ExitStack() as stack:
            for each in urls:
                connection = stack.enter_context(psycopg.connect(each))
                connection.execute("LOCK TABLE trial_end IN ACCESS EXCLUSIVE MODE")
            yield

    return (
        Fault("postgresql_crashes", 0, crashed),
        Fault("postgresql_read_only", 15, read_only),
        Fault("postgresql_locks", 60, locked),
        Fault("postgresql_outages", 15, crashed),
    )


def of_mlflow(server: MlflowServer) -> Sequence[Fault]:
    """How an MLflow server fails."""

    @contextmanager
    def away() -> Iterator[None]:
        server.stop()
        yield
        server.start()

    def answering(badly: BadAnswers) -> Callable[[], AbstractContextManager[None]]:
        @contextmanager
        def bad() -> Iterator[None]:
            with away(), bad_server(badly, port=server.port):
                yield

        return bad

    return (
        Fault("mlflow_silent", 15, answering("silent")),
        Fault("mlflow_throttling", 15, answering("throttling")),
        Fault("mlflow_outages", 15, away),
    )


def set_read_only(url: str, value: bool) -> None:
    """Let a server refuse to write, as during a failover, or take it back."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if value else 'off'}")
        connection.execute("SELECT pg_reload_conf()")
