"""The control line: messages survive encoding, garbage is refused, descriptors arrive or are closed."""

from __future__ import annotations

import os
import resource
import socket

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from phxactor.cluster.carriers.workers import (
    Beat,
    Configure,
    ControlError,
    ControlLine,
    ControlMessage,
    DescriptorsLostError,
    Gone,
    Hello,
    Listen,
    Peer,
    Ready,
    Stop,
    Stopped,
    Wanted,
    control_pair,
)
from phxactor.cluster.carriers.workers._control import _KINDS, MAX_BYTES, decode, encode
from phxactor.cluster.carriers.workers._control_line import MAX_WAITING

WANTED = Wanted(endpoint="web", number=1, path="/run/x", mode=0o660)
VALUES = {
    "int": st.integers(-(2**53), 2**53),
    "str": st.text(st.characters(exclude_categories=["Cs"])),
    "bytes": st.binary(),
    "tuple[str, ...]": st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3).map(tuple),
}


@st.composite
def messages(draw: st.DrawFn) -> ControlMessage:
    """Any message, with as many descriptors as its kind needs (numbers only)."""
    kind = draw(st.sampled_from(sorted(_KINDS)).map(_KINDS.__getitem__))
    fields = {field.name: draw(VALUES[str(field.type)]) for field in attrs.fields(kind) if field.name != "descriptors"}
    return kind(**fields, descriptors=tuple(range(kind.least_descriptors)))


@given(messages())
def test_a_message_survives(message: ControlMessage) -> None:
    assert decode(encode(message), message.descriptors) == message


@given(st.binary())
def test_garbage_is_refused(packet: bytes) -> None:
    with pytest.raises(ControlError):
        decode(packet)


@pytest.mark.parametrize(
    "packet",
    [
        b"[]",
        b"1",
        b"{}",
        b'{"kind":1}',
        b'{"kind":"ControlMessage"}',
        b'{"kind":"Ready","more":1}',
        b'{"kind":"Gone"}',
        b'{"kind":"Gone","node":1}',
        b'{"kind":"Gone","node":"not base64"}',
        b'{"kind":"Stopped","reason":null}',
        b'{"kind":"Hello","node":"AAAA","name":"x","process":true,"places":[]}',
        b'{"kind":"Hello","node":"AAAA","name":"x","process":1,"places":[1]}',
        b'{"kind":"Hello","node":"AAAA","name":"x","process":1,"places":"x"}',
        b'{"kind":"Peer","node":"AAAA","name":"x"}',
        b"{" + b" " * MAX_BYTES + b"}",
    ],
)
def test_what_looks_like_a_message_is_refused(packet: bytes) -> None:
    with pytest.raises(ControlError):
        decode(packet)


def test_a_wanted_place_survives_and_garbage_is_none() -> None:
    assert Wanted.decode(WANTED.encode()) == WANTED
    for text in ("", "[]", "{}", '{"endpoint":"web","number":"x"}'):
        with pytest.raises(ControlError):
            Wanted.decode(text)


def test_a_message_that_is_too_large_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ControlError, match=f"at most {MAX_BYTES}"):
        encode(Stopped(reason="x" * MAX_BYTES))


def test_a_configuration_does_not_show_its_secret() -> None:
    configure = Configure(
        number=1,
        slot=0,
        workers=1,
        slots=1,
        name="n",
        group=b"g" * 8,
        secret="s3cret",
        generation=1,
        descriptors=(3, 4),
    )
    assert "s3cret" not in repr(configure)


async def test_messages_and_descriptors_arrive() -> None:
    ours, theirs = map(ControlLine, control_pair())
    left, right = socket.socketpair()
    with left, right:
        assert ours.send(Peer(node=b"n" * 16, name="w/1", descriptors=(left.fileno(),)))
        assert ours.send(Listen(descriptors=(left.fileno(), right.fileno())))
        assert theirs.send(Ready())
        peer = await theirs.receive()
        assert isinstance(peer, Peer)
        assert (peer.node, peer.name) == (b"n" * 16, "w/1")
        assert not os.get_inheritable(peer.descriptors[0])
        with socket.socket(fileno=peer.descriptors[0]) as end:
            end.send(b"hello")
            assert right.recv(10) == b"hello"
        listen = await theirs.receive()
        assert isinstance(listen, Listen)
        assert len(listen.descriptors) == 2
        for descriptor in listen.descriptors:
            os.close(descriptor)
        assert await ours.receive() == Ready()
    ours.close()
    assert await theirs.receive() is None
    assert not theirs.send(Ready())
    theirs.close()


async def test_a_process_that_does_not_read_makes_nobody_wait() -> None:
    """What does not fit waits in order, with its descriptors; beyond `MAX_WAITING` it is refused."""
    ours, theirs = map(ControlLine, control_pair())
    left, right = socket.socketpair()
    sent = 0
    with left, right:
        while ours.send(Peer(node=sent.to_bytes(16, "big"), name="x" * 10_000, descriptors=(left.fileno(),))):
            sent += 1
    assert sent > MAX_WAITING
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.write_waiting)
        for number in range(sent):
            peer = await theirs.receive()
            assert isinstance(peer, Peer)
            assert int.from_bytes(peer.node, "big") == number
            os.close(peer.descriptors[0])
        assert ours.send(Stop())
        assert await theirs.receive() == Stop()
        nursery.cancel_scope.cancel()
    ours.close()
    theirs.close()


async def test_closing_leaves_no_descriptor_of_what_waits() -> None:
    ours, theirs = map(ControlLine, control_pair())
    left, right = socket.socketpair()
    while ours.send(Peer(node=b"", name="x" * 10_000, descriptors=(left.fileno(),))):
        pass
    left.close()
    ours.close()
    theirs.close()
    assert right.recv(1) == b""  # nobody has the other end any more
    right.close()


async def test_garbage_on_the_line_leaves_no_descriptor() -> None:
    raw, theirs = control_pair()
    line = ControlLine(theirs)
    left, right = socket.socketpair()
    socket.send_fds(raw, [b"garbage"], [left.fileno()])
    left.close()
    with pytest.raises(ControlError):
        await line.receive()
    assert right.recv(1) == b""
    for sock in (raw, right, line):
        sock.close()


async def test_a_process_with_too_many_open_files_is_told_what_it_missed() -> None:
    ours, theirs = map(ControlLine, control_pair())
    left, right = socket.socketpair()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ours.send(Peer(node=b"n", name="p", descriptors=(left.fileno(),)))
    ours.send(Gone(node=b"n"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (right.fileno(), hard))
    try:
        with pytest.raises(DescriptorsLostError) as raised:
            await theirs.receive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised.value.message == Peer(node=b"n", name="p")
    assert await theirs.receive() == Gone(node=b"n")
    for sock in (left, right, ours, theirs):
        sock.close()


async def test_a_beat_has_counts() -> None:
    ours, theirs = map(ControlLine, control_pair())
    assert ours.send(Beat(state="degraded", why="redis is away", connections=3, memory=2**40))
    assert await theirs.receive() == Beat(state="degraded", why="redis is away", connections=3, memory=2**40)
    hello = Hello(node=b"n" * 16, name="w", process=1, places=(WANTED.encode(), "{}"))
    assert ours.send(hello)
    assert await theirs.receive() == hello
    ours.close()
    theirs.close()
