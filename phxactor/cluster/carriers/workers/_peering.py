"""What a parent says of its other workers, done: lines that come and go, and broadcasts of the command line.

    Peer       ──▶ a new line                 if its descriptor was lost (EMFILE), the parent is asked for it again
    Gone       ──▶ the line is closed, when all that came on it is handled
    Publish    ──▶ to the subscribers of this node and to all other nodes
    LineLost   ◀── a line broke, and after a second there is no new one

The process that reads the control line calls this (`phxactor.endpoint`).
"""

from __future__ import annotations

import socket
from typing import Final, TypeAlias, final

import trio

from phxactor.cluster import LocalNode, Node
from phxactor.cluster.carriers.workers._control import (
    ControlMessage,
    DescriptorsLostError,
    Gone,
    LineLost,
    Peer,
    Publish,
)
from phxactor.cluster.carriers.workers._control_line import ControlLine
from phxactor.cluster.carriers.workers._workers import Workers
from phxactor.envelope import NOBODY, EnvelopeError, decode, lane_of
from phxactor.runtime import Pid, Timer, own

AGAIN: Final = 1.0
"""Seconds after which the parent is asked for a new line: usually it knows already, and has sent one or Gone."""
START: Final = 5.0
"""Seconds that a worker waits for its first lines, at most, before it serves."""

Peers: TypeAlias = Peer | Gone | Publish
"""The messages of a parent that are for its worker's carrier."""


@final
class Peering:
    """The lines of a worker, as its parent wants them."""

    def __init__(self, workers: Workers, line: ControlLine, pid: Pid) -> None:
        """Keep the lines of `workers` as the parent says on a control line, which the process `pid` reads."""
        self._workers = workers
        self._line = line
        self._runtime = pid.runtime
        self._asking: dict[bytes, Timer] = {}
        """The timers after which the parent is asked for a line; they end with the process."""
        self._wanted: set[bytes] = set()
        """The nodes that the parent has named and not called gone."""
        self._listed = trio.Event()
        workers.on_lost = self._ask_later
        workers.on_listed = self._note_listed
        own(pid, self._end)

    def take(self, message: Peers) -> None:
        """Do what a message says. An envelope that is none is counted as refused, and dropped."""
        if isinstance(message, Peer):
            self._wanted.add(message.node)
            sock = socket.socket(fileno=message.descriptors[0])
            self._workers.add_line(Node(message.node, message.name), sock)
        elif isinstance(message, Gone):
            self._wanted.discard(message.node)
            if message.node in self._asking:
                self._runtime.timers.discard(self._asking.pop(message.node))
            self._workers.remove_line(message.node)
        else:
            self._publish(message.message)

    def missed(self, error: DescriptorsLostError) -> None:
        """Note a message that came without its descriptors: a lost line is asked for again."""
        message: ControlMessage = error.message
        if isinstance(message, Peer):
            self._wanted.add(message.node)
            self._ask_later(message.node)

    async def wait(self, peers: int, seconds: float = START) -> bool:
        """Wait until this worker has heard all lanes of so many others; return False if that takes too long.

        Then what its clients broadcast reaches the clients of these workers.
        """
        with trio.move_on_after(seconds):
            while self._workers.count_listed() < peers:
                await self._listed.wait()
        return self._workers.count_listed() >= peers

    def _publish(self, envelope: bytes) -> None:
        node = LocalNode.found(self._runtime)
        if node is None:
            return
        try:
            message = decode(envelope, node.max_message_bytes)
        except EnvelopeError as error:
            node.refused(self._workers, error.fault)
            return
        node.received(self._workers, NOBODY, envelope)
        node.publish_encoded(lane_of(message.scope, message.topic), envelope)

    def _note_listed(self, _: bytes) -> None:
        self._listed.set()
        self._listed = trio.Event()

    def _ask_later(self, node_id: bytes) -> None:
        if node_id in self._wanted and node_id not in self._asking:
            self._asking[node_id] = self._runtime.timers.add(AGAIN, self._ask, node_id)

    def _ask(self, node_id: bytes) -> None:
        del self._asking[node_id]
        if node_id not in self._workers.lines and not self._line.send(LineLost(node=node_id)):
            self._ask_later(node_id)

    def _end(self, _: Pid) -> None:
        self._wanted.clear()
        for timer in self._asking.values():
            self._runtime.timers.discard(timer)
        self._asking.clear()
