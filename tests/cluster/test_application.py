"""An application that is a node: what starts and stops when, and what the health path tells."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor import Application, Endpoint, Request, open_runtime
from phxactor.cluster import Cluster, LocalNode, NodeDown, NodeUp, monitor_nodes, new_group, new_node, nodes, this_node
from phxactor.http import PeerData
from phxactor.otp import ChildSpec, Ok, Supervisor
from phxactor.runtime import Pid, receive, self_pid, spawn_link, trap_exit
from tests.cluster.in_memory import InMemory

SECRET = "a secret of at least twenty bytes"
PEER = PeerData("192.0.2.1", 5)


class Ordered:
    """A child that notes its start and its end."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def child_spec(self) -> ChildSpec:
        return ChildSpec(id="child", start=(self.start_link, (), {}))

    def start_link(self) -> Ok[Pid]:
        self.log.append(f"child starts, node {this_node() is not None}")
        return Ok(spawn_link(self._run))

    async def _run(self) -> None:
        trap_exit()
        await receive()
        self.log.append(f"child ends, node {this_node() is not None}")


async def test_the_cluster_starts_first_and_stops_last(autojump_clock: MockClock) -> None:
    log: list[str] = []
    carrier = InMemory([])
    application = Application(children=[Ordered(log)], endpoints=[Endpoint()], cluster=carrier)
    async with open_runtime():
        root = (await application.start_link(server=False)).unwrap()
        await wait_all_tasks_blocked()
        children = await Supervisor.which_children(root)
        assert [one.id for one in reversed(children)] == ["cluster", "distribution", "child", "endpoint"]
        assert carrier.node is LocalNode.found(self_pid().runtime)
    assert log == ["child starts, node True", "child ends, node True"]


async def test_the_carriers_get_the_secret_of_the_first_endpoint_that_has_one(autojump_clock: MockClock) -> None:
    endpoints = [Endpoint(name="one"), Endpoint(name="two", secret_key_base=SECRET)]
    for cluster, secret in ((InMemory([]), SECRET), (Cluster(InMemory([]), secret="mine"), "mine")):
        async with open_runtime():
            await Application(endpoints=endpoints, cluster=cluster).start_link(server=False)
            node = this_node()
            assert node is not None
            assert node.secret == secret
            assert SECRET not in repr(node) + repr(cluster)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Application(cluster="redis://cache"), TypeError, "is no carrier"),  # type: ignore[arg-type]
        (lambda: Application(cluster=[InMemory([]), InMemory([])]), ValueError, "two carriers have one name"),
        (lambda: Cluster(InMemory([]), max_message_bytes=1), ValueError, "max_message_bytes is at least"),
        (lambda: Cluster(InMemory([]), name="a\nb"), ValueError, "printable"),
        (lambda: Cluster(InMemory([]), group=new_group()[:3]), ValueError, "8 bytes"),
    ],
)
def test_what_is_refused_at_once(make: object, error: type[Exception], words: str) -> None:
    assert callable(make)
    with pytest.raises(error, match=words):
        make()


async def test_CL29_health_is_degraded_while_a_carrier_is_away(autojump_clock: MockClock) -> None:
    endpoint = Endpoint(health="/health")
    carrier = InMemory([])
    async with open_runtime():
        await Application(endpoints=[endpoint], cluster=carrier).start_link(server=False)
        await wait_all_tasks_blocked()

        async def asked() -> tuple[int, str]:
            answer = await endpoint.answer(Request("GET", "/health", peer=PEER))
            return answer.status, bytes(answer.body).decode()

        assert await asked() == (HTTPStatus.OK, "ready\n")
        carrier.node.away(carrier, "refused, with the password x")
        status, body = await asked()
        assert status == HTTPStatus.OK
        assert body.startswith("degraded\nmemory: since 20")
        assert "password" not in body
        carrier.node.back(carrier)
        assert await asked() == (HTTPStatus.OK, "ready\n")


async def test_a_carrier_that_ends_is_away_until_it_is_started_again(autojump_clock: MockClock) -> None:
    everybody: list[InMemory] = []
    one, two = InMemory(everybody), InMemory(everybody)
    async with open_runtime():
        await Cluster(one).start_link()
        async with open_runtime():
            await Cluster(two, name="other").start_link()
            await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()
        assert [one.name for one in nodes()] == ["other"]
        children = await Supervisor.which_children("cluster")
        assert isinstance(children[0].pid, Pid)
        monitor_nodes()
        children[0].pid.exit("oops")
        await wait_all_tasks_blocked()
        told = [await receive(), await receive()]
        assert told == [NodeDown(two.node.identity, "lost"), NodeUp(two.node.identity)]
        assert one.node.health().state == "ready"


def test_nodes_of_one_group_differ_in_their_hashes() -> None:
    """They are in one table; with one hash each lookup would compare all of them."""
    group = new_group()
    assert len({hash(new_node(group=group)) for _ in range(20)}) == 20
