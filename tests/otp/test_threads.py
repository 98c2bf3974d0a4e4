"""Behaviours are reached from another thread in no other way than processes are: one clear error (TM34)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any, Final

import pytest
import trio

from phxactor.otp import (
    Agent,
    DynamicSupervisor,
    NoReply,
    PartitionSupervisor,
    Registry,
    Reply,
    Supervisor,
    Task,
    TaskSupervisor,
    async_stream,
    call,
    cast,
    reply,
    set_label,
    stop,
    system,
)
from phxactor.pubsub import PubSub
from phxactor.runtime import From, NotAProcessError, Pid, open_runtime, self_pid
from phxactor.testing import settle
from tests.otp import Kit
from tests.runtime.threads import WITH_PROCESS, WITHOUT_PROCESS, Place


class Tree:
    """A server, and one of each behaviour, that `main` has started."""

    server: Pid
    agent: Pid
    supervisor: Pid
    pool: Pid
    tasks: Pid
    task: Task[Any]
    asked: From

    async def start(self) -> None:
        """Start them all."""
        await Kit.start_link(call=lambda *_: Reply("answer"), name="server")
        self.server = (await Kit.start_link(call=lambda *asked: self._keep(asked[-1]))).unwrap()
        self.agent = (await Agent.start_link(lambda: 1)).unwrap()
        self.supervisor = (await Supervisor.start_link([])).unwrap()
        self.pool = (await DynamicSupervisor.start_link()).unwrap()
        self.tasks = (await TaskSupervisor.start_link()).unwrap()
        (await PartitionSupervisor.start_link(DynamicSupervisor, name="partitions", partitions=2)).unwrap()
        (await Registry.start_link(name="registry", keys="duplicate")).unwrap()
        (await Registry.start_link(name="names", keys="unique")).unwrap()
        Registry.register("registry", "key", "value")
        self.pubsub = PubSub()
        (await self.pubsub.start_link()).unwrap()
        self.pubsub.subscribe("topic")
        self.asking = Task.async_(call, self.server, "later", None)
        self.task = Task.async_(trio.sleep_forever)
        await settle()

    def _keep(self, from_: From) -> NoReply:
        self.asked = from_
        return NoReply()


OPERATIONS: Final[dict[str, Callable[[Tree], object]]] = {
    "call": lambda tree: call(tree.server, 1),
    "call by name": lambda _: call("server", 1),
    "call by key": lambda _: call(Registry.via("names", 1), 1),
    "cast": lambda tree: cast(tree.server, 1),
    "cast by name": lambda _: cast("server", 1),
    "cast by key": lambda _: cast(Registry.via("names", 1), 1),
    "cast to a partition": lambda _: cast(PartitionSupervisor.via("partitions", 1), 1),
    "reply": lambda tree: reply(tree.asked, 1),
    "stop": lambda tree: stop(tree.server),
    "GenServer.start": lambda _: Kit.start(),
    "GenServer.start_link": lambda _: Kit.start_link(name="new"),
    "system.get_state": lambda tree: system.get_state(tree.server),
    "system.suspend": lambda tree: system.suspend(tree.server),
    "Agent.start_link": lambda _: Agent.start_link(lambda: 1),
    "Agent.get": lambda tree: Agent.get(tree.agent, lambda value: value),
    "Agent.update": lambda tree: Agent.update(tree.agent, lambda value: value),
    "Agent.cast": lambda tree: Agent.cast(tree.agent, lambda value: value),
    "Supervisor.start_link": lambda _: Supervisor.start_link([]),
    "Supervisor.start_child": lambda tree: Supervisor.start_child(tree.supervisor, Kit),
    "Supervisor.which_children": lambda tree: Supervisor.which_children(tree.supervisor),
    "DynamicSupervisor.start_child": lambda tree: DynamicSupervisor.start_child(tree.pool, Kit),
    "DynamicSupervisor.request_child": lambda tree: DynamicSupervisor.request_child(tree.pool, Kit, tree.asked),
    "PartitionSupervisor.child": lambda _: PartitionSupervisor.child("partitions", 1),
    "TaskSupervisor.async_": lambda tree: TaskSupervisor.async_(tree.tasks, print),
    "TaskSupervisor.start_child": lambda tree: TaskSupervisor.start_child(tree.tasks, print),
    "Task.async_": lambda _: Task.async_(print),
    "Task.start": lambda _: Task.start(print),
    "Task.await_": lambda tree: tree.task.await_(),
    "Task.yield_": lambda tree: tree.task.yield_(),
    "Task.shutdown": lambda tree: tree.task.shutdown(),
    "Task.ignore": lambda tree: tree.task.ignore(),
    "async_stream": lambda _: async_stream([1], print).__aenter__(),
    "Registry.start_link": lambda _: Registry.start_link(name="another", keys="unique"),
    "Registry.register": lambda _: Registry.register("names", "key"),
    "Registry.unregister": lambda _: Registry.unregister("registry", "key"),
    "Registry.unregister_match": lambda _: Registry.unregister_match("registry", "key", lambda _: True),
    "Registry.update_value": lambda _: Registry.update_value("names", "key", lambda value: value),
    "Registry.lookup": lambda _: Registry.lookup("registry", "key"),
    "Registry.send": lambda _: Registry.send("names", "key", 1),
    "Registry.dispatch": lambda _: Registry.dispatch("registry", "key", lambda _: None),
    "Registry.put_meta": lambda _: Registry.put_meta("registry", "key", 1),
    "PubSub.subscribe": lambda tree: tree.pubsub.subscribe("topic"),
    "PubSub.subscribe another": lambda tree: tree.pubsub.subscribe("topic", pid=tree.server),
    "PubSub.unsubscribe": lambda tree: tree.pubsub.unsubscribe("topic"),
    "PubSub.unsubscribe another": lambda tree: tree.pubsub.unsubscribe("topic", pid=tree.server),
    "PubSub.broadcast": lambda tree: tree.pubsub.broadcast("topic", 1),
    "PubSub.broadcast to nobody": lambda tree: tree.pubsub.broadcast("nobody's topic", 1),
    "PubSub.broadcast_from": lambda tree: tree.pubsub.broadcast_from(tree.server, "topic", 1),
    "PubSub.local_broadcast": lambda tree: tree.pubsub.local_broadcast("topic", 1),
    "set_label": lambda _: set_label("label"),
}


TO_A_PID: Final = [
    "call",
    "cast",
    "reply",
    "stop",
    "system.get_state",
    "Agent.get",
    "Agent.cast",
    "Supervisor.start_child",
    "DynamicSupervisor.start_child",
    "DynamicSupervisor.request_child",
    "TaskSupervisor.async_",
    "PubSub.subscribe another",
    "PubSub.unsubscribe another",
    "PubSub.broadcast_from",
]
"""What can be tried by a process of another runtime too, which has names and registries of its own."""


@pytest.mark.parametrize(("place", "name"), [*product(WITHOUT_PROCESS, OPERATIONS), *product(WITH_PROCESS, TO_A_PID)])
async def test_TM34_a_behaviour_is_not_reached_from_another_thread(name: str, place: Place) -> None:
    async with open_runtime() as runtime:
        tree = Tree()
        await tree.start()
        before = _seen(tree)
        error = await place(partial(OPERATIONS[name], tree))
        assert isinstance(error, NotAProcessError), error
        assert "phxactor.from_thread" in str(error)
        await settle()
        assert _seen(tree) == before
        assert not any(pid.mailbox for pid in runtime.processes.values())
        assert await Agent.get(tree.agent, lambda value: value) == 1
        reply(tree.asked, "answer")
        assert await tree.asking == "answer"


def _seen(tree: Tree) -> object:
    runtime = self_pid().runtime
    return (
        runtime.statistics(),
        [(pid, pid.state, list(pid.links or ()), list(pid.watchers or ())) for pid in runtime.processes.values()],
        runtime.names.all(),
        Registry.select("registry", lambda *_: True),
        Registry.select("names", lambda *_: True),
        tree.pubsub.statistics(),
        self_pid().label,
    )
