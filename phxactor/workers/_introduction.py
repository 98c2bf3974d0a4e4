"""What a parent gives a worker that has said hello: lines to all others, then its listening sockets."""

from __future__ import annotations

import os
import socket

from phxactor.cluster.carriers.workers import ControlError, Hello, Listen, Peer, Wanted
from phxactor.workers import events
from phxactor.workers._crew import Crew, Member
from phxactor.workers._sockets import AddressError, Sockets


def introduce(member: Member, hello: Hello, crew: Crew, sockets: Sockets) -> None:
    """Give a worker its lines, then its sockets: so it can wait for the lines that came before."""
    worker = member.worker
    worker.greeted = True
    others = crew.greeted()
    member.hello = hello
    if worker.told_to_stop:  # it may have missed the signal, as it was about to handle it
        worker.told_to_stop = False
        worker.stop()
    for other in others:
        connect(member, other)
    error, descriptors = "", []
    try:
        member.wanted = [Wanted.decode(text) for text in hello.places]
        descriptors = sockets.open(member.wanted, hello.descriptors)
    except (AddressError, ControlError) as unavailable:
        error = str(unavailable)
    for descriptor in hello.descriptors:
        os.close(descriptor)
    worker.send(Listen(error=error, descriptors=tuple(descriptors)))


def connect(one: Member, other: Member) -> None:
    """Give two workers the ends of a new line between them."""
    if one.hello is None or other.hello is None:
        return
    try:
        left, right = socket.socketpair()
    except OSError as error:
        if events.control_failed.handlers:
            events.control_failed.emit(number=one.number, why=f"no line to worker {other.number}: {error.strerror}")
        return
    with left, right:
        for member, end, peer in ((one, left, other.hello), (other, right, one.hello)):
            member.worker.send(Peer(node=peer.node, name=peer.name, descriptors=(end.fileno(),)))
