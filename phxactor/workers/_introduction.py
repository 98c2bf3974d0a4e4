"""What a parent gives a worker that has said hello: lines to all others, then its listening sockets."""

from __future__ import annotations

import os
import socket
from math import inf

from phxactor.cluster.carriers.workers import AGAIN, ControlError, Hello, Listen, Peer, Wanted
from phxactor.workers import events
from phxactor.workers._crew import Crew, Member
from phxactor.workers._sockets import AddressError, Sockets


def introduce(member: Member, hello: Hello, crew: Crew, sockets: Sockets, now: float) -> None:
    """Give a worker its lines, then its sockets: so it can wait for the lines that came before."""
    worker = member.worker
    worker.greeted = True
    others = crew.greeted()
    member.hello = hello
    if worker.told_to_stop:  # it may have missed the signal, as it was about to handle it
        worker.told_to_stop = False
        worker.stop()
    for other in others:
        connect(member, other, now)
    error, descriptors = "", []
    try:
        member.wanted = [Wanted.decode(text) for text in hello.places]
        descriptors = sockets.open(member.wanted, hello.descriptors)
    except (AddressError, ControlError) as unavailable:
        error = str(unavailable)
    for descriptor in hello.descriptors:
        os.close(descriptor)
    worker.send(Listen(error=error, descriptors=tuple(descriptors)))


def connect_again(one: Member, other: Member, now: float) -> None:
    """Give two workers a new line, since one of them has found the last one broken.

    The other one finds that too, and may ask in the same moment. A second new line would replace the first one, and
    what was said on that would be lost. A worker never asks sooner than `AGAIN` seconds after it was given a line.
    """
    if now - one.lines.get(other, -inf) >= AGAIN:
        connect(one, other, now)


def connect(one: Member, other: Member, now: float) -> None:
    """Give two workers the ends of a new line between them."""
    if one.hello is None or other.hello is None:
        return
    try:
        left, right = socket.socketpair()
    except OSError as error:
        if events.control_failed.handlers:
            events.control_failed.emit(number=one.number, why=f"no line to worker {other.number}: {error.strerror}")
        return
    one.lines[other] = other.lines[one] = now
    with left, right:
        for member, end, peer in ((one, left, other.hello), (other, right, one.hello)):
            member.worker.send(Peer(node=peer.node, name=peer.name, descriptors=(end.fileno(),)))
