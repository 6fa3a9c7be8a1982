"""Tasks over long-lived Ray actors, of which any may die."""

from __future__ import annotations

import heapq
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ._errors import DeviceError

#: Results that wait for an earlier one, for each task that can be under way: what a slow worker may hold up.
_AHEAD = 4


def library() -> Any:
    """Ray, which only this part of etnas needs, and only when it is used."""
    try:
        return importlib.import_module("ray")
    except ImportError as missing:
        raise ImportError("Work on a cluster needs Ray: `pip install etnas[ray]`.") from missing


class Done(NamedTuple):
    """A finished task."""

    number: int
    worker: dict[str, Any]
    result: Any


class _Deadly(Exception):
    """As many workers died of a task (None: of starting) as are allowed to, and one more."""

    def __init__(self, task: int | None, death: str) -> None:
        super().__init__(task, death)
        self.task, self.death = task, death


class _Ticket(NamedTuple):
    place: int
    #: None: the worker tells of itself.
    task: int | None


class Pool:
    """Workers, one for each of ``places``, which are options of Ray for its actor. One that dies is replaced, and what it had in hand is
    done again by whoever is free; results that it might still send are never looked at, so that none comes twice.

    ``actor`` needs a method ``about``, which gives a dictionary; ``admit`` is told of it before the worker gets a task, and may raise.
    """

    def __init__(
        self,
        actor: type,
        arguments: Sequence[Any],
        places: Sequence[Mapping[str, Any]],
        *,
        in_flight: int,
        losses: int,
        admit: Callable[[dict[str, Any]], None],
    ) -> None:
        self._ray = library()
        self._class = self._ray.remote(actor)
        # Put once: images and weights may be large.
        self._arguments = [self._ray.put(argument) for argument in arguments]
        self._places = places
        self._in_flight, self._losses, self._admit = in_flight, losses, admit
        self._handles: dict[int, Any] = {}
        self._tickets: dict[Any, _Ticket] = {}
        self._failed_starts = 0
        #: All workers that ever joined, the latest of each place last.
        self.joined: list[dict[str, Any]] = []
        #: Workers that died.
        self.lost = 0
        self._current: dict[int, dict[str, Any]] = {}
        #: Workers over a task that a worker died with: it is done alone, so that it is known what they die of.
        self._alone: set[int] = set()
        for place in range(len(places)):
            self._start(place)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles.values():
            self._ray.kill(handle, no_restart=True)

    def first(self) -> dict[str, Any]:
        """What the worker that joins first tells of itself."""
        while not self.joined:
            try:
                self._turn({}, [], {})
            except _Deadly as deadly:
                raise self._told(deadly, "its start") from None
        return self.joined[0]

    def map(self, method: str, tasks: Sequence[tuple[Any, ...]], name: Callable[[int], str]) -> Iterator[Done]:
        """The results of all tasks, in their order. A task is the arguments of a method; ``name`` is what people call it."""
        waiting = list(range(len(tasks)))
        heapq.heapify(waiting)
        results: dict[int, Done] = {}
        losses: dict[int, int] = {}
        ahead = _AHEAD * self._in_flight * len(self._places)
        for number in range(len(tasks)):
            while number not in results:
                while waiting and waiting[0] < number + ahead:
                    alone = waiting[0] in losses
                    if (place := self._free(1 if alone else self._in_flight)) is None:
                        break
                    task = heapq.heappop(waiting)
                    if alone:
                        self._alone.add(place)
                    reference = getattr(self._handles[place], method).remote(*tasks[task])
                    self._tickets[reference] = _Ticket(place, task)
                try:
                    self._turn(results, waiting, losses)
                except _Deadly as deadly:
                    raise self._told(deadly, "its start" if deadly.task is None else name(deadly.task)) from None
            yield results.pop(number)

    def _told(self, deadly: _Deadly, what: str) -> DeviceError:
        return DeviceError(
            f"Workers on the cluster: expected one that survives {what}, found {self._losses + 1} that died of it ({deadly.death}). "
            "Look into Ray's logs of the workers."
        )

    def _start(self, place: int) -> None:
        options = {"max_restarts": 0, **self._places[place]}
        self._handles[place] = self._class.options(**options).remote(*self._arguments)
        self._tickets[self._handles[place].about.remote()] = _Ticket(place, None)

    def _free(self, most: int) -> int | None:
        """The worker with the least in hand, if one has less than ``most``."""
        loads = {place: 0 for place in self._current if place not in self._alone}
        for ticket in self._tickets.values():
            if ticket.place in loads:
                loads[ticket.place] += 1
        place = min(loads, key=loads.__getitem__, default=None)
        return None if place is None or loads[place] >= most else place

    def _turn(self, results: dict[int, Done], waiting: list[int], losses: dict[int, int]) -> None:
        """Waits for something to happen."""
        errors = self._ray.exceptions
        ready, _ = self._ray.wait(list(self._tickets), num_returns=1)
        for reference in ready:
            ticket = self._tickets[reference]
            try:
                value = self._ray.get(reference)
            except (errors.RayActorError, errors.ObjectLostError, errors.NodeDiedError) as death:
                # Dead, or what it sent went down with its machine.
                self._replace(ticket, death, waiting, losses)
                continue
            except errors.RayTaskError as failure:
                # The worker's own sentence, without the way that it came.
                raise getattr(failure, "cause", failure) from None
            del self._tickets[reference]
            self._alone.discard(ticket.place)
            if ticket.task is not None:
                results[ticket.task] = Done(ticket.task, self._current[ticket.place], value)
                continue
            self._admit(value)
            self._failed_starts = 0
            self._current[ticket.place] = value
            self.joined.append(value)

    def _replace(self, ticket: _Ticket, death: Exception, waiting: list[int], losses: dict[int, int]) -> None:
        place = ticket.place
        self.lost += 1
        mine = [reference for reference, held in self._tickets.items() if held.place == place]
        tasks = sorted(task for reference in mine if (task := self._tickets.pop(reference).task) is not None)
        for task in tasks:
            heapq.heappush(waiting, task)
            # Which of them it died of shows when they are done again, each alone.
            losses[task] = losses.get(task, 0) + 1
        if not tasks:
            self._failed_starts += 1
        deadly = next((task for task in tasks if losses[task] > self._losses), None)
        if deadly is not None or self._failed_starts > self._losses:
            raise _Deadly(deadly, str(death).strip().splitlines()[0])
        self._alone.discard(place)
        self._current.pop(place, None)
        # It may be alive behind a broken connection; nobody listens to it any more.
        self._ray.kill(self._handles[place], no_restart=True)
        self._start(place)


def places(workers: int | Sequence[Mapping[str, Any]] | None, threads: int | None, cards: bool) -> list[dict[str, Any]]:
    """Options of Ray for each worker: those given, or as many alike as the cluster has cards, or groups of ``threads`` cores."""
    if workers is not None and not isinstance(workers, int):
        return [dict(options) for options in workers]
    resources = library().cluster_resources()
    count = int(resources.get("GPU", 0)) if cards else 0
    if count:
        options = {"num_gpus": 1, "num_cpus": threads or 1}
    else:
        options = {"num_cpus": threads or 1}
        count = max(1, int(resources.get("CPU", 1)) // (threads or 1))
    return [dict(options) for _ in range(count if workers is None else workers)]
