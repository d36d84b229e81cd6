"""Sessions of PostgreSQL that wait for a lock, as seen by looking often."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

LOOK_SECONDS = 0.02
WAITING = """
SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


@dataclass(slots=True)
class LockWaits:
    """Looks at `pg_stat_activity` all the time.

    Attributes:
        samples: How often it looked.
        waiting: How many sessions it saw waiting, counted at each look.
        queries: What they were doing.
    """

    url: str
    samples: int = 0
    waiting: int = 0
    queries: set[str] = field(default_factory=set)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within it, it looks."""
        ended = threading.Event()
        thread = threading.Thread(target=self._look, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _look(self, ended: threading.Event) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not ended.wait(LOOK_SECONDS):
                found = [query for (query,) in connection.execute(WAITING)]
                self.samples += 1
                self.waiting += len(found)
                self.queries.update(found)
