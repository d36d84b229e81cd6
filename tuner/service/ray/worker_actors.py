"""Ray actors that search: workers, which may spread the lanes of their study over trainer actors."""

import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Protocol

import ray

from tuner.errors import StoreError, TunerError
from tuner.experiment import Experiment
from tuner.objective import Objective
from tuner.recorders import Event, Notice
from tuner.search.checkpoints import CheckpointFolder
from tuner.search.tasks.contract import Task
from tuner.search.tasks.extra import unchanged
from tuner.search.tasks.searching import Searching
from tuner.service.cores import one_thread
from tuner.service.ray.cluster import Remote, own_url, password_advice
from tuner.service.ray.trainer_actors import SpreadObjective, trainers
from tuner.service.worker import Worker, this_process
from tuner.stores import Store
from tuner.stores.opening import open_store

LISTEN_SECONDS = 0.5
"""How long a worker with nothing to say lets its driver wait; how soon it hears that it is to stop."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker is told to do. It holds no secret, because everyone on the cluster can read it.

    Attributes:
        store_url: The store, without passwords.
        device: Where to train, as torch names it, or `auto`.
        only: The one experiment to work on; empty for all.
        once: Whether to end when nothing is open any more.
        trainers: Over how many trainers to deal out the lanes of a study; 0 to train in the worker itself.
        num_gpus: GPUs of each trainer.
        checkpoints: Where running trials are saved, by the same path on every node; nowhere if None.
        task: What to do with studies.
    """

    store_url: str
    device: str
    only: str
    once: bool
    trainers: int
    num_gpus: float
    checkpoints: CheckpointFolder | None = None
    task: Task = Searching()  # noqa: RUF009 - it has no state


@dataclass(frozen=True, slots=True)
class Opened:
    """The messages that follow, up to `Closed`, are about a study of this experiment."""

    experiment: Experiment


@dataclass(frozen=True, slots=True)
class Closed:
    """The worker is done with a study for now."""


Message = Event | Opened | Closed


@dataclass(frozen=True, slots=True)
class WorkerMessages:
    """The messages of a worker since it was last asked.

    Attributes:
        has_ended: Whether it will say nothing more.
        has_failed: Whether it ended because it could not go on.
    """

    worker: str
    messages: Sequence[Message]
    has_ended: bool
    has_failed: bool


class WorkerHandle(Protocol):
    """A `WorkerActor` from outside."""

    @property
    def listen(self) -> Remote[[bool], WorkerMessages]: ...


class WorkerActor:
    """A worker that searches in a thread of its own, from the moment the actor is made or restarted."""

    def __init__(self, orders: WorkerSettings) -> None:
        self._settings = orders
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._has_failed = False
        one_thread()
        if ray.get_runtime_context().was_current_actor_reconstructed:
            self._messages.put(Notice(f"a worker died; Ray has started another, {this_process()}"))
        self._thread = threading.Thread(target=self._live, name="worker", daemon=True)
        self._thread.start()

    @ray.method(max_task_retries=-1)
    def listen(self, stop: bool) -> WorkerMessages:
        """The messages since the last call, after a short wait if there are none. `stop` asks the worker to stop."""
        if stop:
            self._stop.set()
        has_ended = not self._thread.is_alive()  # before looking: it says nothing afterwards
        messages: list[Message] = []
        try:
            messages.append(self._messages.get(timeout=0 if has_ended else LISTEN_SECONDS))
            while True:
                messages.append(self._messages.get_nowait())
        except queue.Empty:
            return WorkerMessages(this_process(), messages, has_ended, self._has_failed)

    def _live(self) -> None:
        """The worker's life, on its thread."""
        try:
            with self._store() as store, self._placed() as place:
                Worker(
                    name=this_process(),
                    store=store,
                    device=self._settings.device,
                    recording=self._recording,
                    tell=self._messages.put,
                    stopping=self._stop.is_set,
                    only=self._settings.only,
                    once=self._settings.once,
                    place=place,
                    checkpoints=self._settings.checkpoints,
                    task=self._settings.task,
                ).run()
        except Exception as error:
            self._has_failed = True
            if not isinstance(error, TunerError):
                log.exception("a worker has failed")  # to Ray's logs
            reason = str(error) if isinstance(error, TunerError) else f"{type(error).__name__}: {error}"
            self._messages.put(Notice(f"worker {this_process()} cannot go on: {reason}"))

    @contextmanager
    def _store(self) -> Iterator[Store]:
        sent = self._settings.store_url
        try:
            store = open_store(own_url(sent, os.environ), create=False)
        except StoreError as error:
            raise StoreError(f"{error}{password_advice(sent, error)}") from error
        with closing(store):
            yield store

    @contextmanager
    def _placed(self) -> Iterator[Callable[[Objective], Objective]]:
        """Within it, workloads can be spread over trainers of our own, if there shall be any."""
        if not self._settings.trainers:
            yield unchanged
            return
        with trainers(self._settings.trainers, num_gpus=self._settings.num_gpus, give_up=self._stop.is_set) as actors:
            yield lambda objective: SpreadObjective(objective, actors)

    @contextmanager
    def _recording(self, experiment: Experiment) -> Iterator[Callable[[Event], None]]:
        self._messages.put(Opened(experiment))
        try:
            yield self._messages.put
        finally:
            self._messages.put(Closed())
