"""Workers as processes, on one store."""

import random
import signal
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.commands import environment
from tests.toy import SMALL
from tuner.errors import StoreError
from tuner.experiment import parse
from tuner.stores.opening import open_store

SAMPLERS = ("random", "quasi_random", "tpe")
PAUSE = 0.01
OPEN_STUDIES = 4
"""Experiments are submitted whenever fewer studies are open in a store."""
STOP_SECONDS = 60


@dataclass(slots=True)
class Crew:
    """The workers of a store, each replaced when it dies.

    Attributes:
        gave_up: How many ended by themselves: the store may have been away when they started.
    """

    folder: Path
    store_url: str
    mlflow_url: str
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    gave_up: int = 0

    def start(self) -> None:
        """One more."""
        variables = {"TUNER_STORE": self.store_url, "MLFLOW_TRACKING_URI": self.mlflow_url}
        with (self.folder / "workers.txt").open("a") as log:
            command = [sys.executable, "-m", "tuner", "worker"]
            started = subprocess.Popen(command, cwd=self.folder, env=environment(**variables), stdout=log, stderr=log)
        self.workers.append(started)

    def kill_one(self, chance: random.Random) -> None:
        """Kill any of them, and start another."""
        victim = self.workers.pop(chance.randrange(len(self.workers)))
        victim.kill()
        victim.wait()
        self.start()

    def replace_ended(self) -> None:
        """Start those anew that gave up, as whoever runs a service does."""
        for each in [each for each in self.workers if each.poll() is not None]:
            self.workers.remove(each)
            self.gave_up += 1
            self.start()

    def submit_more(self) -> None:
        """Keep the workers busy, unless the store is away."""
        with suppress(StoreError), closing(open_store(self.store_url)) as store:
            while len(store.open_studies()) < OPEN_STUDIES:
                store.submit(parse(experiment(len(store.names())), source="chaos.toml"))

    def end(self) -> list[int]:
        """Ask them all to stop; their exit codes."""
        for each in self.workers:
            each.send_signal(signal.SIGTERM)
        return [each.wait(STOP_SECONDS) for each in self.workers]

    def abandon(self) -> None:
        """Leave nothing behind."""
        for each in self.workers:
            each.kill()


def experiment(number: int) -> str:
    """The toy with a name and a sampler of its own, and time to be killed in."""
    renamed = SMALL.replace('name = "toy"', f'name = "chaos-{number}"').replace("seed = 3", f"seed = {number}")
    slowed = renamed.replace('kind = "tests.toy:Toy"', f'kind = "tests.toy:Toy"\npause = {PAUSE}')
    return slowed.replace('{ kind = "random" }', f'{{ kind = "{SAMPLERS[number % len(SAMPLERS)]}" }}')
