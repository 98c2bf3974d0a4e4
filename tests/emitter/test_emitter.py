from __future__ import annotations

import logging
import os
import runpy
import sys
import threading
import time
from decimal import Decimal

import pytest
import redis

from phxactor import emitter as module
from phxactor.emitter import Emitter
from phxactor.envelope import EnvelopeError, Kind, Message, Seal
from tests.emitter.fake_redis import CLOSE, SILENCE, FakeRedis
from tests.emitter.listener import SECRET, Listener

LANE = b"shop:t:endpoint.pubsub:room:1"


def made(port: int, *, options: str = "", secret: str | None = SECRET, **given: str | int) -> Emitter:
    return Emitter(f"redis://127.0.0.1:{port}{options}", prefix="shop", secret=secret, **given)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------- with a real server


@pytest.mark.redis
def test_CL46_a_broadcast_is_one_message_as_of_a_node(redis_port: int, listener: Listener) -> None:
    before = time.time_ns() // 1_000_000
    with made(redis_port) as emitter:
        assert emitter.broadcast("room:1", "news", {"a": [1, None, "grüße"], 5: True}) == 1
    channel, data = listener.raw()
    assert channel == LANE
    frame = Seal(SECRET).open(channel, data)
    assert (len(frame.sender), frame.number, frame.previous) == (16, 1, 0)
    assert before <= frame.sent_at <= time.time_ns() // 1_000_000
    assert frame.message.endswith('room:1news{"a":[1,null,"grüße"],"5":true}'.encode())
    with made(redis_port) as another:
        another.broadcast("room:1", "raw", b"\x00\xff")
    assert listener.message() == Message(Kind.BINARY, "endpoint.pubsub", "room:1", "raw", b"\x00\xff")


@pytest.mark.redis
def test_a_socket_is_disconnected_by_its_id(redis_port: int, listener: Listener) -> None:
    with made(redis_port, scope="chat.pubsub") as emitter:
        assert emitter.disconnect("users:42") == 1
    assert listener.message() == Message(Kind.BROADCAST, "chat.pubsub", "users:42", "disconnect", b"{}")


@pytest.mark.redis
def test_CL47_the_number_of_nodes_that_listen_is_given_back(redis_port: int) -> None:
    with made(redis_port) as emitter, redis.Redis(port=redis_port) as client:
        assert emitter.broadcast("room:1", "news", {}) == 0
        nodes = [client.pubsub() for _ in range(3)]
        for node in nodes:
            node.subscribe(LANE)
            node.get_message(timeout=10)
        assert emitter.broadcast("room:1", "news", {}) == 3
        assert emitter.broadcast("room:2", "news", {}) == 0
        for node in nodes:
            node.close()


@pytest.mark.redis
def test_CL47_a_lost_connection_is_made_anew(redis_port: int, listener: Listener) -> None:
    with made(redis_port) as emitter, redis.Redis(port=redis_port) as client:
        for number in range(3):
            assert emitter.broadcast("room:1", "news", {"n": number}) == 1
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        frames = [listener.frame() for _ in range(3)]
    assert [frame.number for frame in frames] == [1, 2, 3]
    assert len({frame.sender for frame in frames}) == 1
    assert listener.nothing()


@pytest.mark.redis
def test_after_close_it_connects_again(redis_port: int, listener: Listener) -> None:
    emitter = made(redis_port)
    emitter.close()
    for _ in range(2):
        emitter.broadcast("room:1", "news", {})
        emitter.close()
        emitter.close()
    assert [listener.frame().number for _ in range(2)] == [1, 2]


@pytest.mark.redis
def test_threads_share_one_emitter_and_its_numbers_arrive_in_order(redis_port: int, listener: Listener) -> None:
    """A number that comes after a higher one is dropped as a replay."""
    threads, each = 8, 25
    with made(redis_port) as emitter:
        begin = threading.Barrier(threads)

        def work() -> None:
            begin.wait()
            for number in range(each):
                emitter.broadcast("room:1", "news", {"n": number})

        running = [threading.Thread(target=work) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    assert [listener.frame().number for _ in range(threads * each)] == [*range(1, threads * each + 1)]


@pytest.mark.redis
@pytest.mark.parametrize("held", [False, True])
def test_CL13_a_forked_process_is_another_sender(redis_port: int, listener: Listener, held: bool) -> None:
    """Also if a thread of the parent was in the middle of a broadcast."""
    emitter = made(redis_port)
    emitter.broadcast("room:1", "news", {"of": "the parent"})
    if held:
        emitter._lock.acquire()  # noqa: SLF001 - as a thread in a broadcast
    child = os.fork()
    if child == 0:
        try:
            emitter.broadcast("room:1", "news", {"of": "the child"})
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    if held:
        emitter._lock.release()  # noqa: SLF001 - the same
    emitter.broadcast("room:1", "news", {"of": "the parent"})
    emitter.close()
    first, second, third = (listener.frame() for _ in range(3))
    assert first.sender == third.sender != second.sender
    assert (first.number, second.number, third.number) == (1, 1, 2)


@pytest.mark.redis
def test_without_a_secret_frames_are_open(redis_port: int) -> None:
    with Listener(redis_port, None) as listener, made(redis_port, secret=None) as emitter:
        emitter.broadcast("room:1", "news", {})
        assert listener.message() == Message(Kind.BROADCAST, "endpoint.pubsub", "room:1", "news", b"{}")


@pytest.mark.redis
def test_CL47_what_redis_refuses_passes_through(redis_port: int) -> None:
    with redis.Redis(port=redis_port) as client:
        client.execute_command("ACL", "SETUSER", "mute", "on", ">word", "~*", "&other:*", "+publish")
    url = f"redis://mute:word@127.0.0.1:{redis_port}"
    with Emitter(url, prefix="shop") as emitter, pytest.raises(redis.exceptions.NoPermissionError):
        emitter.broadcast("room:1", "news", {})


# ------------------------------------------------------------------------------------- with a fake server


@pytest.mark.socket
def test_CL47_the_second_try_sends_the_same_bytes() -> None:
    """So nodes that heard the first drop the second."""
    with FakeRedis([CLOSE, b":4\r\n", b":5\r\n"]) as server, made(server.port, options="?protocol=2") as emitter:
        assert emitter.broadcast("room:1", "news", {}) == 4
        assert emitter.broadcast("room:1", "news", {}) == 5
        first, second, third = server.published
        assert first == second != third


@pytest.mark.socket
def test_CL47_two_tries_are_all() -> None:
    with FakeRedis([CLOSE, CLOSE, b":1\r\n"]) as server, made(server.port, options="?protocol=2") as emitter:
        with pytest.raises(redis.ConnectionError):
            emitter.broadcast("room:1", "news", {})
        assert len(server.published) == 2
        assert emitter.broadcast("room:1", "news", {}) == 1


@pytest.mark.socket
@pytest.mark.parametrize(("options", "patience"), [("&socket_timeout=0.1", 1000), ("", 0.1)])
def test_a_silent_server_is_a_timeout(options: str, patience: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", patience)
    with FakeRedis([SILENCE, SILENCE]) as server:
        emitter = made(server.port, options="?protocol=2" + options)
        with pytest.raises(redis.TimeoutError):
            emitter.broadcast("room:1", "news", {})
        emitter.close()
        assert len(server.published) == 2


@pytest.mark.socket
def test_nobody_there_is_a_connection_error() -> None:
    with FakeRedis([]) as server:
        port = server.port
    with pytest.raises(redis.ConnectionError):
        made(port).broadcast("room:1", "news", {})


# -------------------------------------------------------------------------------------- without a server


@pytest.mark.parametrize(
    ("topic", "payload", "error"),
    [
        ("room:1", {"x": "y" * 2000}, EnvelopeError),
        ("t" * 70_000, {}, EnvelopeError),
        ("\ud800", {}, EnvelopeError),
        ("room:1", {"price": Decimal("1.5")}, TypeError),
        ("room:1", {"half": "\ud800"}, TypeError),
    ],
)
def test_CL37_what_cannot_be_sent_is_refused_before(topic: str, payload: object, error: type[Exception]) -> None:
    emitter = made(1, max_message_bytes=1000)
    with pytest.raises(error):
        emitter.broadcast(topic, "news", payload)


@pytest.mark.parametrize(
    "url",
    [
        "http://cache",
        "cache:6379",
        "redis://:hunter2/3@cache",
        "redis://:hunter2#3@cache:x",
        "redis://app:hunter2@cache:none",
        "redis://app:hunter2@cache?socket_timeout=soon",
    ],
)
def test_CL35_an_error_about_the_url_holds_none_of_it(url: str) -> None:
    with pytest.raises(ValueError, match="not the URL of a Redis server") as raised:
        Emitter(url)
    assert "hunter" not in str(raised.value)
    assert raised.value.__context__ is None


@pytest.mark.parametrize("given", [{"prefix": "a:b"}, {"secret": "short"}, {"prefix": ""}])
def test_options_fail_when_they_are_given(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"at least 20 bytes|1 to 64"):
        Emitter("redis://127.0.0.1", **given)  # type: ignore[arg-type]


@pytest.mark.socket
def test_CL35_nothing_shows_credentials(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeRedis([]) as server:
        port = server.port
    emitter = Emitter(f"redis://app:hunter2@127.0.0.1:{port}", secret=SECRET)
    with pytest.raises(redis.ConnectionError) as raised:
        emitter.broadcast("room:1", "news", {})
    for shown in (repr(emitter), str(emitter), str(raised.value), caplog.text):
        assert "hunter2" not in shown
        assert SECRET not in shown
    assert repr(emitter) == "<Emitter of 'phxactor'>"


def test_without_redis_py_an_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match=r"pip install 'phxactor\[redis\]'"):
        runpy.run_path(module.__file__)
