"""PostgreSQL: a store for workers on any number of machines."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from sqlalchemy import URL, Connection

from tuner.errors import StoreError
from tuner.stores.database import Lock, MeasurementRow
from tuner.trial import hash_seed

# A host that vanishes without a word is noticed by the other side within 20 + 3 x 10 seconds.
CONNECTION_OPTIONS: dict[str, str | int] = {
    "connect_timeout": 10,
    "application_name": "tuner",
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 50_000,
}
SERVER_KEEPALIVES = {"tcp_keepalives_idle": 20, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 3}


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """A database on a server. Locks are advisory locks, each held by a connection of its own."""

    location: URL = field(repr=False)

    @property
    def advice(self) -> str:
        return "; check that it is running and that TUNER_STORE or --store names it"

    def engine_options(self) -> dict[str, object]:
        # A connection that was idle for an hour may be dead: ask before use. Servers count connections: keep few.
        return {"pool_pre_ping": True, "pool_size": 1, "max_overflow": 3, "connect_args": self._connection_options()}

    @contextmanager
    def lock(self, name: str, *, wait: bool = False) -> Iterator[Lock | None]:
        key = hash_seed("lock", name)
        with self._connect() as connection:
            if wait:
                connection.execute("SELECT pg_advisory_lock(%s)", [key])
            elif connection.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone() == (False,):
                yield None
                return
            try:
                yield HeldSession(name, connection)
            finally:
                # The server would notice the closed connection too, but only some time after we have gone on.
                with suppress(psycopg.Error):
                    connection.execute("SELECT pg_advisory_unlock(%s)", [key])

    def write_measurements(self, connection: Connection, rows: Sequence[MeasurementRow]) -> None:
        driver: psycopg.Connection | None = connection.connection.driver_connection
        assert driver is not None  # only a connection that was given back has none
        copy_rows = "COPY measurement (trial_id, step, metric, value) FROM STDIN"
        with driver.cursor() as cursor, cursor.copy(copy_rows) as copy:
            for row in rows:
                copy.write_row(row)

    def _connect(self) -> psycopg.Connection:
        """A connection outside any pool, whose session lives until it is closed."""
        _, from_url = self.location.get_dialect()().create_connect_args(self.location)
        connection = psycopg.connect(autocommit=True, **{**from_url, **self._connection_options()})
        for setting, seconds in SERVER_KEEPALIVES.items():
            connection.execute("SELECT set_config(%s, %s, false)", [setting, str(seconds)])
        return connection

    def _connection_options(self) -> dict[str, str | int]:
        """Ours, unless the URL says otherwise."""
        return {key: value for key, value in CONNECTION_OPTIONS.items() if key not in self.location.query}


@dataclass(frozen=True, slots=True)
class HeldSession:
    """An advisory lock that is held: by the server, for as long as this session lives."""

    name: str
    connection: psycopg.Connection

    def check(self) -> None:
        try:
            self.connection.execute("SELECT 1")
        except psycopg.Error as error:
            message = f"the claim of {self.name} is lost: {error}; another worker may have it now"
            raise StoreError(" ".join(message.split())) from error
