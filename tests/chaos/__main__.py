"""`python -m tests.chaos`."""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import psycopg

from tests import chaos
from tests.chaos.crew import Crew
from tests.chaos.faults import Weather, of_mlflow, of_postgresql
from tests.chaos.inspection import Found, inspect, mismatches, runs_of_trials
from tests.servers import MlflowServer, PostgresqlServer
from tuner.recorders.mlflow.runs import Tracking
from tuner.recorders.mlflow.sync import sync
from tuner.records import Role
from tuner.stores import Store
from tuner.stores.opening import open_store

DATABASES = ("first", "second")
DRAIN_SECONDS = 900.0


def disturb(crews: Sequence[Crew], weathers: Sequence[Weather], *, minutes: float, chance: random.Random) -> int:
    """Break things for a while, and until everything has been broken once; how many workers were killed."""
    kills = 0
    end = time.monotonic() + 60 * minutes
    with ExitStack() as stack:
        for each in weathers:
            stack.enter_context(each.raging())
        while time.monotonic() < end or not all(each.is_through for each in weathers):
            time.sleep(chance.uniform(2, 5))
            for crew in crews:
                crew.submit_more()
                crew.replace_ended()
            chance.choice(crews).kill_one(chance)
            kills += 1
    return kills


def drain(crews: Sequence[Crew], stores: Sequence[Store]) -> None:
    """Wait until nothing is open."""
    end = time.monotonic() + DRAIN_SECONDS
    while any(each.open_studies() for each in stores) and time.monotonic() < end:
        for crew in crews:
            crew.replace_ended()
        time.sleep(1)


def judge(stores: Sequence[Store], *, tracking_uri: str) -> Found:
    """Compare the stores with what they should hold, and MLflow with the stores."""
    found = Found()
    trials = 0
    for store in stores:
        inspect(found, store)
        for name in store.names():
            record = store.record(name)
            sync(record, partial(store.curves, name), Tracking(tracking_uri, name, store))
            found.mlflow_mismatches += mismatches(store, name, tracking_uri=tracking_uri)
            trials += sum(len(study.finished(*Role)) for study in record.studies)
    found.mlflow_mismatches += abs(runs_of_trials(tracking_uri) - trials)
    print(f"{sum(len(each.names()) for each in stores)} experiments in {len(stores)} stores, {trials} finished trials")
    return found


def databases(server: PostgresqlServer) -> list[str]:
    """The URLs of new databases of a server."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        for each in DATABASES:
            connection.execute(f"CREATE DATABASE {each}")
    return [server.url.replace("/postgres?", f"/{each}?") for each in DATABASES]


def main(arguments: list[str] | None = None) -> int:
    """Make chaos, and say what survived; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=chaos.__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=4, help="of both stores together")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    chance = random.Random(given.seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        postgresql = PostgresqlServer(Path(tempfile.mkdtemp(prefix="chaos-postgres-")))
        mlflow = MlflowServer(folder)
        mlflow.start()
        stack.callback(mlflow.stop)
        urls = databases(postgresql)
        crews = [Crew(folder, each, mlflow.url) for each in urls]
        for crew in crews:
            stack.callback(crew.abandon)
            crew.submit_more()
        for number in range(given.workers):
            crews[number % len(crews)].start()
        faults = (of_postgresql(postgresql, urls), of_mlflow(mlflow))
        weathers = [Weather(each, random.Random(chance.random())) for each in faults]
        kills = disturb(crews, weathers, minutes=given.minutes, chance=chance)
        stores = [stack.enter_context(closing(open_store(each))) for each in urls]
        drain(crews, stores)
        codes = [code for crew in crews for code in crew.end()]
        found = judge(stores, tracking_uri=mlflow.url)
    happened = sum((each.happened for each in weathers), Counter({"kills": kills}))
    print(f"exit codes at the end: {codes}; workers that had given up: {sum(each.gave_up for each in crews)}")
    print(json.dumps({**happened, **found.to_json()}))
    return 0 if found.is_clean and not any(codes) else 1


if __name__ == "__main__":
    sys.exit(main())
