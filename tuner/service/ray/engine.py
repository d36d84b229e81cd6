"""The Ray engine: workers are actors on a cluster, and Ray restarts the actors that die."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from threading import Event as Flag
from types import FrameType
from typing import cast

import ray
from ray import ObjectRef
from ray.exceptions import RayError

from tuner.errors import TunerError
from tuner.experiment import Experiment
from tuner.recorders import Event, Notice
from tuner.search.checkpoints import CheckpointFolder
from tuner.service.engine import STOPPING, Job
from tuner.service.ray.cluster import connected, has_gpus, hosts, one_line, room, sent_url
from tuner.service.ray.worker_actors import (
    Closed,
    Message,
    Opened,
    WorkerActor,
    WorkerHandle,
    WorkerMessages,
    WorkerSettings,
)
from tuner.service.signals import Stop, handled_by

WAIT_SECONDS = 0.5
SILENCE_SECONDS = 60.0
"""After so long without a word from a worker something is wrong with it, or there is no room for it."""

Tell = Callable[[Event], None]
Recording = Callable[[str, Experiment], AbstractContextManager[Tell]]
"""Within it, what a worker does with a study of an experiment is told."""


@dataclass(frozen=True, slots=True)
class Ray:
    """Workers on a cluster.

    Attributes:
        address: Which; see `tuner.service.ray.cluster.connected`.
        workers: How many; None for as many as an empty cluster holds.
        trainers: Over how many actors each worker deals out the lanes of its study; 0: it trains them itself.
        num_gpus: GPUs of each actor that trains. A fraction shares a GPU, but not its memory. None for one where the
            cluster has any and they shall be used.
    """

    address: str = ""
    workers: int | None = None
    trainers: int = 0
    num_gpus: float | None = None

    def run(self, job: Job, tell: Tell, *, stop: Stop) -> bool:
        """See `Engine.run`. A second signal ends the workers at once; what they finished is stored all the same.

        Raises:
            TunerError: There is no such cluster, or its workers cannot reach the store.
        """
        name, most = job.experiment.name, len(job.experiment.batch_sizes)
        with connected(self.address):
            orders = self._settings(job.store_url, job.device, only=name, once=True, checkpoints=job.checkpoints)
            orders = replace(orders, task=job.task)
            return not self._follow(orders, lambda *_: nullcontext(tell), tell, stop, most=most).stopped

    def serve(
        self,
        store_url: str,
        *,
        device: str,
        once: bool,
        recording: Recording,
        tell: Tell,
        checkpoints: CheckpointFolder | None = None,
    ) -> bool:
        """Search whatever is open, until asked to stop or, with `once`, until nothing is.

        Returns:
            Whether it was asked to stop.

        Raises:
            TunerError: There is no such cluster, or no worker could go on.
        """
        with connected(self.address):
            orders = self._settings(store_url, device, only="", once=once, checkpoints=checkpoints)
            ending = self._follow(orders, recording, tell, Stop())
        if ending.failed and not ending.stopped:
            raise TunerError(f"{ending.failed} of {ending.workers} workers on Ray could not go on")
        return ending.stopped

    def _settings(
        self, store_url: str, device: str, *, only: str, once: bool, checkpoints: CheckpointFolder | None
    ) -> WorkerSettings:
        num_gpus = float(has_gpus() and device != "cpu") if self.num_gpus is None else self.num_gpus
        # An actor without GPUs may see those of others.
        device = "cpu" if device == "auto" and not num_gpus else device
        return WorkerSettings(sent_url(store_url, hosts()), device, only, once, self.trainers, num_gpus, checkpoints)

    def _follow(
        self, orders: WorkerSettings, recording: Recording, tell: Tell, stop: Stop, *, most: int | None = None
    ) -> "_Ending":
        """Start workers and pass on what they say, until all have ended."""
        # A worker that deals its lanes out waits for others nearly always, and takes no room itself.
        cpus, gpus = (0.0, 0.0) if orders.trainers else (1.0, orders.num_gpus)
        parts = max(1, orders.trainers)
        many = self.workers or max(1, room(cpus=1, gpus=orders.num_gpus) // parts)
        options = {"num_cpus": cpus, "num_gpus": gpus, "max_restarts": -1}
        make = ray.remote(WorkerActor).options(**options)
        actors = [cast(WorkerHandle, make.remote(orders)) for _ in range(min(many, most or many))]
        needs = f"{parts} x " * (parts > 1) + "1 CPU" + f" and {orders.num_gpus:g} GPU" * bool(orders.num_gpus)
        try:
            return _Driver([_Listener(each, recording, tell) for each in actors], tell, needs, stop).run()
        finally:
            for each in actors:
                ray.kill(each)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Ending:
    """How the workers ended: how many there were, how many could not go on, and whether they were asked to stop."""

    workers: int
    failed: int
    stopped: bool


@dataclass(slots=True)
class _Listener:
    """Listens to one worker, and passes on what it says."""

    actor: WorkerHandle
    recording: Recording
    tell: Tell
    heard_at: float = field(default_factory=time.monotonic)
    has_failed: bool = False
    _study: ExitStack = field(default_factory=ExitStack)
    _emit: Tell | None = None

    def ask(self, *, stop: bool) -> "ObjectRef[WorkerMessages]":
        return self.actor.listen.remote(stop)

    def take(self, answer: "ObjectRef[WorkerMessages]", *, stopping: bool) -> bool:
        """Pass an answer on; whether more will follow."""
        self.heard_at = time.monotonic()
        try:
            answered = ray.get(answer)
        except RayError as error:
            self.end()
            self.has_failed = True
            if not stopping:
                self.tell(Notice(f"a worker is gone for good: {one_line(error)}"))
            return False
        for each in answered.messages:
            self._pass_on(answered.worker, each)
        if answered.has_ended:
            self.end()
            self.has_failed = answered.has_failed
        return not answered.has_ended

    def _pass_on(self, worker: str, message: Message) -> None:
        if isinstance(message, Opened):
            self.end()  # a worker that died sent no message that its study ended
            self._emit = self._study.enter_context(self.recording(worker, message.experiment))
        elif isinstance(message, Closed):
            self.end()
        elif self._emit is not None:
            self._emit(message)
        else:
            self.tell(message)

    def end(self) -> None:
        self._emit = None
        self._study.close()


@dataclass(slots=True)
class _Driver:
    """Listens to all workers until they end. A signal asks the workers to stop; a second signal ends them."""

    listeners: list[_Listener]
    tell: Tell
    needs: str
    stop: Stop
    _stop: Flag = field(default_factory=Flag)
    _hurry: Flag = field(default_factory=Flag)
    _has_told: bool = False
    _missed: int = 0

    def run(self) -> _Ending:
        with handled_by(self._handle):
            asked = {each.ask(stop=False): each for each in self.listeners}
            while asked and not self._is_over():
                ready, _ = ray.wait(list(asked), timeout=WAIT_SECONDS)
                for answer in ready:
                    listener = asked.pop(answer)
                    if listener.take(answer, stopping=self._stop.is_set()):
                        asked[listener.ask(stop=self._stop.is_set())] = listener
                if not self._stop.is_set():
                    self._miss(list(asked.values()))
        for each in self.listeners:
            each.end()
        failed = sum(each.has_failed for each in self.listeners)
        return _Ending(len(self.listeners), failed, self._stop.is_set())

    def _is_over(self) -> bool:
        """Whether to wait for the workers no longer."""
        if self._stop.is_set() and not self._has_told:
            self._has_told = True
            self.tell(STOPPING)
        return self._hurry.is_set() or self.stop.ends_workers

    def _miss(self, listeners: list[_Listener]) -> None:
        """Emit a notice when the number of workers without a message for `SILENCE_SECONDS` grows."""
        missed = sum(time.monotonic() - each.heard_at > SILENCE_SECONDS for each in listeners)
        if missed > self._missed:
            many = f"{missed} of {len(self.listeners)} workers"
            self.tell(
                Notice(f"{many} are not heard of: Ray has no room for them, each needs {self.needs}, or lost them")
            )
        self._missed = missed

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.stop.ask()
        (self._hurry if self.stop.is_hurried else self._stop).set()
