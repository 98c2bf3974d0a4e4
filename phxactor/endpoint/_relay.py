"""The relay: the one process of an endpoint that brings requests to long-poll sessions of other nodes, and theirs here.

    the process of a connection ── call ──▶ Asked ── frames ──▶ Visits of the other node ── Call ──▶ its session
                                ◀── reply ──       ◀── frames ──                        ◀── Answer ──

There is one only where there is a cluster. The token of a session then names its node. Where the connection is, the
client's origin, host and token are checked; where the session is, its limits.
"""

from __future__ import annotations

from collections import OrderedDict
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, final

import attrs
import trio

from phxactor.cluster import CLUSTER, Gap, LocalNode, Node, NodeDown, NodeUp
from phxactor.endpoint import events
from phxactor.endpoint._relay_asked import Asked
from phxactor.endpoint._relay_frames import Frame, Verb, from_message, to_message
from phxactor.endpoint._relay_held import Again, Held
from phxactor.endpoint._relay_requests import Acknowledged, Ended, RemotePoll, RemotePublication, RemoteSession
from phxactor.endpoint._relay_visits import VisitingPublication, Visits, without_relay
from phxactor.endpoint._relay_wire import Wire
from phxactor.envelope import EnvelopeError, Kind, Message
from phxactor.otp import Call, ChildSpec, Ignore, Ok
from phxactor.runtime import Answer, Down, Exit, Pid, Runtime, Shutdown, monitor, own, register, self_pid, set_port
from phxactor.socket import Drain
from phxactor.transport import Settled

if TYPE_CHECKING:
    from phxactor.endpoint._mount import Mount
    from phxactor.endpoint._serving import Serving
    from phxactor.endpoint._sessions import Session

KNOWN: Final = 1024
"""Nodes that were down, of which a relay remembers that they have to be told so if they come up again."""
_OF_CLIENTS: Final = frozenset({Verb.ANSWER, Verb.STATUS, Verb.ROOM, Verb.HURRY})
"""What concerns a request of a client of this node."""


@final
@attrs.frozen(eq=False)
class Said:
    """A message to the relay: a frame of another node."""

    node: Node
    frame: Frame


@final
@attrs.frozen
class Receiver:
    """Takes the messages of kind `RELAY` for all endpoints of a runtime."""

    runtime: Runtime = attrs.field(eq=id)

    def __call__(self, sender: Node | None, message: Message) -> None:
        """Hand a message to the relay of its endpoint. Raises EnvelopeError if it is no frame.

        A relay that has ended, as its endpoint has, knows of no session.
        """
        frame = from_message(message)
        if sender is None:
            return
        pid = self.runtime.names.whereis(_name(message.scope))
        if pid is not None and pid.dictionary is not None and Relay in pid.dictionary:
            pid.send(Said(sender, frame))
        elif (answer := without_relay(frame)) is not None and (node := LocalNode.found(self.runtime)) is not None:
            node.send(sender.id, to_message(answer, message.scope))


def _name(endpoint: str) -> str:
    return f"{endpoint}.relay"


@final
@attrs.frozen(eq=False)
class Turn:
    """A message to the relay: it is the turn of the body of a publish request."""

    visit: VisitingPublication


@attrs.frozen
class RelayStatistics:
    """The counts of a relay."""

    asked: int
    """Requests of clients here that are not over."""
    visits: int
    """Requests of clients of other nodes that are not over."""
    transfers: int
    """Bodies and answers that are not yet sent whole."""


@final
class Relay:
    """Brings requests from node to node, for the long-poll sessions of one endpoint."""

    def __init__(self, serving: Serving, node: LocalNode) -> None:
        self._serving = serving
        self._pid: Pid | None = None
        self._begin(node)

    def _begin(self, node: LocalNode) -> None:
        self._node = node
        self._prefix = f"{node.id.hex()}."
        self._down: OrderedDict[bytes, None] = OrderedDict()
        self._wire = Wire(self._node, self._serving.endpoint.name)
        self._asked = Asked(self._wire)
        self._visits = Visits(self._wire, self._find_here, self._take_turn)
        self._held = Held(node, None)

    # ------------------------------------------------------------------------------------------- sessions

    def name_here(self, name: str) -> str:
        """Return the name in all nodes of a session of this node: its token holds it."""
        return self._prefix + name

    def find(self, name: object, mount: Mount) -> Session | RemoteSession | None:
        """Return the session with this name; None if there is none here, or if another mount opened it."""
        if not isinstance(name, str):
            return None
        if name.startswith(self._prefix):
            return self._serving.sessions.find(name[len(self._prefix) :], mount)
        node_hex, _, session = name.partition(".")
        path, options = mount.longpoll_path, mount.longpoll
        if not session or self._pid is None or path is None or options is None:
            return None
        try:
            node_id = bytes.fromhex(node_hex)
        except ValueError:
            return None
        return RemoteSession(self._pid, node_id, session, path, options.max_output_bytes)

    def _find_here(self, name: str, path: str) -> Session | None:
        mount = self._serving.endpoint.longpolls.get(path)
        return None if mount is None else self._serving.sessions.find(name, mount)

    def statistics(self) -> RelayStatistics:
        """Return the current counts."""
        return RelayStatistics(len(self._asked), len(self._visits), self._wire.transfers)

    # -------------------------------------------------------------------------------------------- process

    def child_spec(self) -> ChildSpec:
        """Return the child spec of the relay."""
        return ChildSpec(id="relay", start=(self._start, (), {}))

    def _start(self) -> Ok[Pid] | Ignore:
        runtime = self_pid().runtime
        node = LocalNode.found(runtime)
        if node is None:  # the cluster has ended
            self._pid = None
            return Ignore()
        self._begin(node)
        self._pid = runtime.spawn(self._run, link=True, initial_call="Relay")
        self._held = Held(node, self._pid)
        return Ok(self._pid)

    async def _run(self) -> None:
        """Run the relay's process; it never returns."""
        pid = self_pid()
        register(_name(self._serving.endpoint.name))
        pid.dictionary = {**(pid.dictionary or {}), Relay: self}
        self._node.handle(Kind.RELAY, Receiver(pid.runtime))
        own(pid, lambda _: self._reset())
        self._node.monitor(pid)
        self._cluster = monitor(CLUSTER)
        self._reset()
        async with trio.open_nursery() as self._turns:
            set_port(self._port)
            await trio.sleep_forever()

    def _reset(self) -> None:
        """Tell all other nodes that this relay knows of no requests."""
        for node in self._node.nodes():
            self._wire.say(node.id, Frame(Verb.RESET))

    def drain(self) -> None:
        """Let the clients of this node go, as its endpoint stops: those that poll sessions of other nodes, too."""
        if self._pid is not None:
            self._pid.send(Drain())

    def _take_turn(self, visit: VisitingPublication) -> None:
        self._turns.start_soon(self._wait_for_turn, visit)

    async def _wait_for_turn(self, visit: VisitingPublication) -> None:
        await self._serving.flusher.wait_for_turn()
        if self._pid is not None:
            self._pid.send(Turn(visit))

    def _port(self, message: object) -> None:
        """Handle a message to the relay: from this node's requests, from sessions, or about other nodes."""
        match message:
            case Said(node=node, frame=frame):
                self._take_checked(node, frame)
            case Call():
                self._ask(message)
            case Again(call=call) if self._held.has(call.request):
                self._ask(call)
            case Settled(poll=RemotePoll() as poll):
                self._held.drop(poll)
                self._asked.settled(poll)
            case Acknowledged(poll=poll):
                self._asked.acknowledged(poll)
            case Ended(publication=publication):
                self._held.drop(publication)
                self._asked.ended(publication)
            case Answer() | Down() | Turn():
                self._visit(message)
            case NodeDown() | NodeUp() | Gap():
                self._note(message)
            case Drain():
                self._asked.end_waiting_polls()
                self._visits.settle_arrived()

    def _ask(self, message: Call) -> None:
        match message.request:
            case RemotePoll() as poll:
                if not self._held.is_early(poll) and self._asked.poll(poll, message.from_):
                    self._held.drop(poll)
                elif not self._held.add(message, poll):
                    message.from_.reply([] if self._held.is_unsure() else HTTPStatus.NOT_FOUND)
            case RemotePublication() as publication:
                early = publication.number == 0 and self._held.is_early(publication)
                if not early and self._asked.publish(publication, message.from_):
                    self._held.drop(publication)
                elif not self._held.add(message, publication):
                    message.from_.reply(HTTPStatus.GONE)

    def _visit(self, message: Answer | Down | Turn) -> None:
        match message:
            case Turn():
                self._visits.hand_over(message.visit)
            case Answer():
                self._visits.answered(message.ref, message.value)
            case Down() if message.ref is self._cluster:
                raise Exit(Shutdown("cluster ended"))
            case Down():
                self._visits.ended(message.ref)

    def _note(self, message: NodeDown | NodeUp | Gap) -> None:
        match message:
            case NodeDown(node=node):
                self._lost(node)
            case NodeUp(node=node) if node.id in self._down:
                del self._down[node.id]
                self._held.returned(node.id)
                self._wire.say(node.id, Frame(Verb.MISSED))
            case Gap():
                for node in self._node.nodes() if message.node is None else [message.node]:
                    self._missed(node)
                    self._visits.missed(node.id)
                    self._wire.say(node.id, Frame(Verb.MISSED))

    def _take_checked(self, node: Node, frame: Frame) -> None:
        try:
            self._take(node, frame)
        except EnvelopeError as error:
            if events.relay_refused.handlers:
                events.relay_refused.emit(node=node, why=str(error))

    def _take(self, node: Node, frame: Frame) -> None:
        if frame.data and frame.verb in (Verb.BODY, Verb.ANSWER):
            self._wire.came(node.id, len(frame.data))
        if frame.verb in _OF_CLIENTS:
            self._asked.take(node.id, frame)
        elif frame.verb is Verb.ACK:
            self._wire.acknowledge(node.id, frame.value)
        elif frame.verb is Verb.MISSED:
            self._missed(node)
        elif frame.verb is Verb.RESET:
            self._missed(node)
            self._visits.lost(node.id)
        else:
            self._visits.take(node.id, frame)
            if self._serving.draining and frame.verb is Verb.ARRIVED:
                self._visits.settle_arrived()

    def _missed(self, node: Node) -> None:
        self._wire.forget(node.id)
        self._tell(node, "gap", self._asked.missed(node.id))

    def _lost(self, node: Node) -> None:
        self._down[node.id] = None
        while len(self._down) > KNOWN:
            self._down.popitem(last=False)
        self._wire.end(node.id)
        self._tell(node, "down", self._asked.lost(node.id, unsure=self._held.is_unsure()))
        self._visits.lost(node.id)

    def _tell(self, node: Node, why: str, requests: int) -> None:
        if requests and events.relay_lost.handlers:
            events.relay_lost.emit(node=node, why=why, requests=requests)
