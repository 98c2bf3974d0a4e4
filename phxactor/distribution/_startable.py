"""Starting processes for other nodes: what a node has declared for it, under a supervisor of its own (ND75, NO15).

    Startable({"room": Room})          on each node that may be asked

    pid = await start_on(node, "room", "room:42")

Only data travels: the name, and the arguments. What the name means is declared here; there is no other way to run
anything on this node.

    startable (rest_for_one)
    ├─ started      DynamicSupervisor of what was started
    └─ starter      registered; takes the requests
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any, Final, TypeAlias, cast

import attrs

from phxactor.distribution._pids import NodePid, RemoteFrom, RemoteMonitor
from phxactor.otp import (
    ChildSpec,
    DynamicSupervisor,
    Error,
    GenServer,
    HasChildSpec,
    Ignore,
    Ok,
    Reply,
    Supervisor,
    Task,
    child_spec,
)
from phxactor.runtime import Monitor, Pid, link_started, watch_started

STARTER: Final = "phxactor.starter"
"""The registered name of the process that starts others."""
STARTED: Final = "phxactor.started"
"""The registered name of the supervisor of what was started."""

Declared: TypeAlias = "HasChildSpec | Callable[..., Awaitable[object]]"
"""A class with child_spec(*args), such as a GenServer, or an async function."""


def _declared(given: Mapping[Any, Declared]) -> dict[str, Declared]:
    for name, what in given.items():
        if not isinstance(name, str) or not name:
            raise TypeError(f"what others may start has a name, not {name!r:.100}")
        if not isinstance(what, HasChildSpec) and not iscoroutinefunction(what):
            raise TypeError(f"{what!r:.200} cannot be started: give a class with child_spec(), or an async function")
    return dict(given)


@attrs.frozen
class Startable:
    """What other nodes may start on this one: a child of the program's tree.

    Args:
        declared: by name, a class such as a GenServer, which gets the arguments of `start_on`, or an async function. A
            function is not started again when it ends; a class as its `child_spec` says.

    Raises:
        TypeError: something else is declared.

    """

    declared: Mapping[str, Declared] = attrs.field(converter=_declared)

    def child_spec(self) -> ChildSpec:
        """Return the child specification. One for each runtime."""
        return ChildSpec(id="startable", start=(self.start_link, (), {}), type="supervisor")

    async def start_link(self) -> Ok[Pid] | Error | Ignore:
        """Start the supervisor, linked to the caller."""
        children = [
            child_spec(DynamicSupervisor, id=STARTED, start=(DynamicSupervisor.start_link, (), {"name": STARTED})),
            ChildSpec(id=STARTER, start=(_Starter.start_link, (self.declared,), {"name": STARTER})),
        ]
        return await Supervisor.start_link(children, strategy="rest_for_one")


class _Starter(GenServer):
    """Takes `("start", name, args, caller, is_linked, monitor)`, and answers Ok(pid), Ignore or Error."""

    async def init(self, declared: Mapping[str, Declared]) -> None:
        self._declared = declared

    async def handle_call(self, request: object, from_: object) -> Reply:
        match request:
            case ("start", str(name), list(args), Pid() as caller, bool(is_linked), watch):
                what = self._declared.get(name)
                if what is None:
                    return Reply(Error(("not_startable", name)))
                started = await self._start(what, args)
                if isinstance(started, Ok):
                    _tie(started.value, caller, is_linked=is_linked, watch=watch)
                return Reply(Error("ignore") if isinstance(started, Ignore) else started)
        return Reply(Error("badarg"))

    async def _start(self, what: Declared, args: list[object]) -> Ok[Pid] | Error | Ignore:
        try:
            spec = (
                what.child_spec(*args) if isinstance(what, HasChildSpec) else Task.child_spec(cast("Any", what), *args)
            )
        except Exception as error:  # noqa: BLE001 - child_spec is the program's, and the caller gets what it raises
            return Error(f"{type(error).__name__}: {error}")
        return await DynamicSupervisor.start_child(STARTED, spec)


def _tie(pid: Pid, caller: Pid, *, is_linked: bool, watch: object) -> None:
    """Link and monitor the new process for the caller, before anything else of it reaches the caller (ND71)."""
    if isinstance(watch, RemoteFrom) and isinstance(caller, NodePid):
        held = RemoteMonitor(caller, pid, watch.number, of_call=False)
        caller.peer.held[watch.number] = held
        watch_started(held)
    elif isinstance(watch, Monitor) and watch.active:
        watch.target = pid
        watch_started(watch)
    if is_linked:
        link_started(caller, pid)
