"""What it costs others when clients make work: the slowest echo meanwhile, and the work after they have left.

Both are measured in seconds of the server's own work, so that it does not matter what else the machine is doing.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import attrs
import orjson
import pytest
import trio

from tests.attacks.target import MARKS, Target, attacked, running
from tests.conformance.client import Client, Rejected
from tests.patience import PATIENCE
from tests.transport.frames import BINARY, CONT, PING, PONG, TEXT, frame

pytestmark = MARKS

ATTACKERS = 20
SECONDS = 1.0
MOST_WORK = 0.05
"""Seconds of work between a message and its answer."""
QUIET = 0.02
"""Seconds of work in `LOOK` of a server that has nothing to do."""
LOOK = 0.25
AFTERWARDS = 1.5
"""Seconds of work after all attackers have left."""
READ = 65536

Attack: TypeAlias = Callable[[Target], Awaitable[None]]
"""One attacker, who goes on until it is cancelled."""


@attrs.frozen
class Harm:
    """What an attack has cost others."""

    echoes: int
    echo: float
    """Seconds of work between a message and its answer, at the most."""
    afterwards: float
    """Seconds of work after the attackers have left."""


async def harm_of(target: Target, attack: Attack, *, attackers: int = ATTACKERS, seconds: float = SECONDS) -> Harm:
    """Attack for so long; somebody else sends messages all the while."""
    client = await target.connect("/close")
    await client.ask(["1", "1", "room:1", "phx_join", {}])
    await work_of_an_echo(target, client)
    works = []
    async with trio.open_nursery() as nursery:
        for _ in range(attackers):
            nursery.start_soon(again_and_again, target, attack)
        end = trio.current_time() + seconds
        while trio.current_time() < end:
            works.append(await work_of_an_echo(target, client))
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    left = before = target.work()
    while True:
        await trio.sleep(LOOK)
        now = target.work()
        if now - before < QUIET:
            break
        before = now
    await trio.aclose_forcefully(client.stream)
    return Harm(len(works), max(works), before - left)


async def work_of_an_echo(target: Target, client: Client) -> float:
    message = ["1", "2", "room:1", "clock", {}]
    with trio.fail_after(PATIENCE):
        await client.send(message)
        before = target.work()  # only now: this program itself may have had to wait before it could send
        await client.json()
        answer: Any = await client.ask(message)
    return max(0.0, float(answer[4]["response"]) - before)


async def again_and_again(target: Target, attack: Attack) -> None:
    """Attack, also when the server has hung up."""
    while True:
        try:
            await attack(target)
        except* (trio.BrokenResourceError, Rejected, OSError):
            pass


async def flood(
    target: Target, data: bytes, path: str = "/close", *, begin: bytes = b"", compress: bool = False
) -> None:
    """Send frames as fast as they are taken, and read all answers."""
    stream = await target.stream()
    try:
        client = await Client.over(stream, f"ws://app.test{path}/websocket?vsn=2.0.0", compress=compress)
        if not path.startswith("/raw"):
            await client.ask(["1", "1", "room:1", "phx_join", {}])
        await stream.send_all(begin)
        await both_ways(stream, data)
    finally:
        await trio.aclose_forcefully(stream)


async def both_ways(stream: trio.abc.Stream, data: bytes) -> None:
    """Send the same again and again, and read."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_all, stream, nursery.cancel_scope)
        while True:
            await stream.send_all(data)


async def read_all(stream: trio.abc.Stream, scope: trio.CancelScope) -> None:
    while await stream.receive_some(READ):
        pass
    scope.cancel()


async def ask_again(target: Target, request: bytes) -> None:
    """Send requests on one connection, and read the answers."""
    stream = await target.stream()
    try:
        await both_ways(stream, request)
    finally:
        await trio.aclose_forcefully(stream)


async def come_and_go(target: Target, head: bytes) -> None:
    """Send one request on each connection, read what comes at first, and leave."""
    stream = await target.stream()
    try:
        await stream.send_all(head)
        await stream.receive_some(READ)
    finally:
        await trio.aclose_forcefully(stream)


def deflated(text: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-12)
    return (deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


def message(payload: bytes, event: bytes = b"quiet") -> bytes:
    return b'["1",null,"room:1","%s",%s]' % (event, payload)


def upgrade(*headers: bytes, query: bytes = b"vsn=2.0.0", path: bytes = b"/close") -> bytes:
    return b"\r\n".join(
        (
            b"GET " + path + b"/websocket?" + query + b" HTTP/1.1",
            b"host: a",
            b"upgrade: websocket",
            b"connection: upgrade",
            b"sec-websocket-version: 13",
            b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
            *headers,
            b"",
            b"",
        )
    )


NEAR = 1024 * 1024 - 100
"""Bytes of a message that is nearly as long as one may be."""
MOST = 65_500
"""Arrays and objects that a message may have, and a few less."""
ARRAYS = message(b"[" + b"[]," * MOST + b"0," * ((NEAR - 3 * MOST) // 2) + b"0]")
NEST = (b'{"":' * 150 + b"0" + b"}" * 150 + b",") * (MOST // 150)
NESTED = message(b"[" + NEST + b"0," * ((NEAR - len(NEST)) // 2) + b"0]")
TOO_NESTED = message(b"[" + (b'{"":' * 150 + b"0" + b"}" * 150 + b",") * (NEAR // 752) + b"0]")
HALVES = message(b"[" + NEST + b'"' + b"\\ud83d" * ((NEAR - len(NEST)) // 6) + b'"]')
ZEROS = message(b"[" + b"0," * (NEAR // 2) + b"0]")
TEXTS = message(b'"' + b"0" * NEAR + b'"')
SMALL = message(b"0")


def pour(data: bytes, **options: Any) -> Attack:  # noqa: ANN401
    return partial(flood, data=data, **options)


def compressed(text: bytes) -> Attack:
    return pour(frame(TEXT, deflated(text), bits=0x40), path="/compressed", compress=True)


FLOODS: dict[str, Attack] = {
    "pings": pour(frame(PING, b"") * 10_000),
    "pings that are long": pour(frame(PING, b"x" * 125) * 500),
    "pongs": pour(frame(PONG, b"") * 10_000),
    "pings among compressed": pour(frame(PING, b"") * 10_000, path="/compressed", compress=True),
    "pings to a raw socket": pour(frame(PING, b"") * 10_000, path="/raw"),
    "fragments": pour(frame(CONT, b"", fin=False) * 10_000, begin=frame(BINARY, b"", fin=False)),
    "fragments of a byte": pour(frame(CONT, b"x", fin=False) * 10_000, begin=frame(BINARY, b"", fin=False)),
    "fragments to a raw socket": pour(
        frame(CONT, b"", fin=False) * 10_000, path="/raw", begin=frame(BINARY, b"", fin=False)
    ),
    "small messages": pour(frame(TEXT, SMALL) * 2000),
    "echoes": pour(frame(TEXT, message(b"0", b"echo")) * 2000),
    "heartbeats": pour(frame(TEXT, b'[null,"1","phoenix","heartbeat",{}]') * 2000),
    "joins": pour(frame(TEXT, b'["1","1","room:1","phx_join",{}]') * 2000),
    "arrays": pour(frame(TEXT, ARRAYS)),
    "nested": pour(frame(TEXT, NESTED)),
    "nested too much": pour(frame(TEXT, TOO_NESTED)),
    "nested with halves of characters": pour(frame(TEXT, HALVES)),
    "nested below half a topic": pour(frame(TEXT, HALVES.replace(b"room:1", b"\\ud83d"))),
    "zeros": pour(frame(TEXT, ZEROS)),
    "echoes of zeros": pour(frame(TEXT, ZEROS.replace(b"quiet", b"echo"))),
    "deflated arrays": compressed(ARRAYS),
    "deflated nested": compressed(NESTED),
    "deflated too much": compressed(TOO_NESTED),
    "deflated zeros": compressed(ZEROS),
    "deflated text": compressed(TEXTS),
    "deflated echoes": compressed(TEXTS.replace(b"quiet", b"echo")),
    "deflated small": compressed(SMALL),
    "deflated nothing": pour(frame(TEXT, deflated(SMALL), bits=0x40) * 1000, path="/compressed", compress=True),
}


COOKIES = b"cookie: " + b"; ".join(b"a%d=%s" % (n, b"x" * 10) for n in range(3500))
HEADS: dict[str, bytes] = {
    "cookies": upgrade(COOKIES),
    "cookies to a page": b"GET / HTTP/1.1\r\nhost: a\r\n" + COOKIES + b"\r\n\r\n",
    "parameters": upgrade(query=b"&".join(b"a[%d][b][c][d]=%%41" % n for n in range(999))),
    "nested parameters": upgrade(query=b"&".join(b"a%d" % n + b"[a]" * 18 + b"=1" for n in range(999))),
    "too many parameters": upgrade(query=b"a&" * 30_000),
    "headers": upgrade(*[b"x-%d: %s" % (n, b"y" * 500) for n in range(90)]),
    "too many headers": upgrade(*[b"a:"] * 13_000),
    "extensions": upgrade(b"sec-websocket-extensions: " + b", ".join([b"x; a=1"] * 7000), path=b"/compressed"),
    "extensions that are short": upgrade(
        b"sec-websocket-extensions: " + b", ".join([b"x; a=1"] * 120), path=b"/compressed"
    ),
    "protocols": upgrade(b"sec-websocket-protocol: " + b",".join([b"a"] * 30_000)),
    "connection": upgrade(b"connection: " + b",".join([b"a"] * 30_000)),
    "origin": upgrade(b"origin: http://" + b"a." * 20_000),
    "plain": upgrade(),
    "percents": upgrade(query=b"a=" + b"%41" * 20_000),
    "path": upgrade(path=b"/" + b"%41" * 20_000),
}


def asking(head: bytes) -> Attack:
    return partial(ask_again, request=head)


def coming(head: bytes) -> Attack:
    return partial(come_and_go, head=head)


async def publish(target: Target, body: bytes) -> None:
    """Open a session, join, and publish again and again."""
    path = b"/close/longpoll?vsn=2.0.0"
    stream = await target.stream()
    try:
        await stream.send_all(b"GET " + path + b" HTTP/1.1\r\nhost: a\r\n\r\n")
        answer = bytes(await stream.receive_some(READ))
        token = orjson.loads(answer.split(b"\r\n\r\n")[1])["token"].encode()
        path += b"&token=" + token
        join = b'["1","1","room:1","phx_join",{}]'
        head = b"POST %s HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-ndjson\r\ncontent-length: %d\r\n\r\n"
        await stream.send_all(head % (path, len(join)) + join)
        await both_ways(stream, head % (path, len(body)) + body)
    finally:
        await trio.aclose_forcefully(stream)


async def poll(target: Target) -> None:
    """Open a session, and poll with more connections than one."""
    path = b"/close/longpoll?vsn=2.0.0"
    stream = await target.stream()
    try:
        await stream.send_all(b"GET " + path + b" HTTP/1.1\r\nhost: a\r\n\r\n")
        answer = bytes(await stream.receive_some(READ))
        token = orjson.loads(answer.split(b"\r\n\r\n")[1])["token"].encode()
        request = b"GET " + path + b"&token=" + token + b" HTTP/1.1\r\nhost: a\r\n\r\n"
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(again_and_again, target, partial(come_and_go, head=request))
    finally:
        await trio.aclose_forcefully(stream)


POLLS: dict[str, Attack] = {
    "batches": partial(publish, body=(SMALL + b"\n") * 100),
    "batch of one": partial(publish, body=SMALL),
    "batches of arrays": partial(publish, body=ARRAYS),
    "polls": poll,
    "sessions": partial(come_and_go, head=b"GET /close/longpoll?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\n\r\n"),
}

ATTACKS: dict[str, Attack] = {
    **FLOODS,
    **{f"requests: {name}": asking(head) for name, head in HEADS.items()},
    **{f"connections: {name}": coming(head) for name, head in HEADS.items()},
    **POLLS,
}


FAMILIES = [
    "pings",
    "fragments of a byte",
    "small messages",
    "heartbeats",
    "joins",
    "nested",
    "deflated text",
    "requests: extensions",
    "connections: extensions",
    "batches",
]
"""One of each family, the one that differs most; `python -m tests.attacks.test_work [NAME ...]` prints all figures."""
SHORT = 0.4
"""Seconds of each attack here."""
LOADED = 2
"""The same work takes up to so many times as long on a machine that does much else at the same time."""


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """A program for all attacks in turn."""
    with running("--most", str(2 * CROWD)) as target:
        yield target


@pytest.mark.parametrize("name", FAMILIES)
async def test_the_others_are_served(name: str, target: Target) -> None:
    harm = await harm_of(target, ATTACKS[name], seconds=SHORT)
    assert harm.echo < LOADED * MOST_WORK
    assert harm.afterwards < AFTERWARDS


CROWD = 1500
HALF = b"GET /close/websocket?vsn=2.0.0 HTTP/1.1\r\nhost: a\r\nupgrade: "


@pytest.mark.parametrize("sent", [b"", HALF], ids=["nothing", "half a head"])
async def test_nobody_waits_for_those_who_have_sent_no_whole_head(sent: bytes, target: Target) -> None:
    client = await target.connect("/close")
    await client.ask(["1", "1", "room:1", "phx_join", {}])
    works = [await work_of_an_echo(target, client)]
    crowd = []
    for number in range(CROWD):
        crowd.append(await target.stream())
        await crowd[-1].send_all(sent)
        if number % 100 == 0:
            works.append(await work_of_an_echo(target, client))
    for stream in crowd:
        with trio.CancelScope() as now:
            now.cancel()
            await stream.aclose()
    while len(works) < 100:
        works.append(await work_of_an_echo(target, client))
    await trio.aclose_forcefully(client.stream)
    assert max(works[1:]) < LOADED * MOST_WORK


async def print_figures(*names: str) -> None:
    """Print what attacks cost whose names begin so."""
    for name, attack in ATTACKS.items():
        if name.startswith(names or ""):
            async with attacked() as target:
                harm = await harm_of(target, attack)
            echo, afterwards = 1000 * harm.echo, 1000 * harm.afterwards
            print(f"{name:32} echo {echo:5.0f} ms, afterwards {afterwards:5.0f} ms")  # noqa: T201 - its purpose


if __name__ == "__main__":
    trio.run(print_figures, *sys.argv[1:])
