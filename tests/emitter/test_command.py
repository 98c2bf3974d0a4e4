"""`phxactor broadcast`: what it publishes, what it says, and what it refuses."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from redis import Redis

from phxactor import cli
from phxactor.envelope import Kind, Message
from tests.demos.program import run
from tests.emitter.listener import SECRET, Listener
from tests.patience import PATIENCE


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # no parents of workers
    monkeypatch.setenv("SECRET_KEY_BASE", SECRET)
    monkeypatch.delenv("PHXACTOR_REDIS", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO('{"from": "standard input"}'))


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    cli.app(["broadcast", *arguments], result_action="return_value")
    out, err = capsys.readouterr()
    assert err == ""
    return out


def refused(*arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        cli.app(["broadcast", *arguments], result_action="return_value")
    assert isinstance(end.value.code, str)
    return end.value.code


@pytest.mark.redis
def test_it_broadcasts_and_says_how_many_nodes_listen(
    redis_port: int, listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--redis", f"redis://127.0.0.1:{redis_port}", "--prefix", "shop"]
    assert said(capsys, "room:1", "news", '{"a": [1, "grüße"]}', *where) == "one node got it\n"
    assert listener.message() == Message(
        Kind.BROADCAST, "endpoint.pubsub", "room:1", "news", '{"a":[1,"grüße"]}'.encode()
    )
    assert said(capsys, "room:1", "news", "-", *where, "--scope", "news") == "one node got it\n"
    assert listener.message() == Message(Kind.BROADCAST, "news", "room:1", "news", b'{"from":"standard input"}')
    assert said(capsys, "room:1", "news", "{}", *where[:2]) == "no node has a subscriber of 'room:1'\n"
    with Listener(redis_port):
        assert said(capsys, "room:1", "news", "-5", *where) == "2 nodes got it\n"


@pytest.mark.redis
def test_redis_and_prefix_come_from_the_environment_and_the_secret_from_a_file(
    redis_port: int,
    listener: Listener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PHXACTOR_REDIS", f"redis://127.0.0.1:{redis_port}")
    monkeypatch.setenv("PHXACTOR_PREFIX", "shop")
    monkeypatch.delenv("SECRET_KEY_BASE")
    (tmp_path / "secret").write_text(SECRET + "\n")
    assert said(capsys, "room:1", "news", "{}", "--secret-file", str(tmp_path / "secret")) == "one node got it\n"
    assert listener.message().event == "news"
    monkeypatch.setenv("ANOTHER", SECRET)
    assert said(capsys, "room:1", "news", "{}", "--secret-env", "ANOTHER") == "one node got it\n"
    assert listener.message().event == "news"


@pytest.mark.redis
def test_a_cluster_may_have_no_secret(redis_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    with Listener(redis_port, None) as listener:
        said(
            capsys,
            "room:1",
            "news",
            "{}",
            "--redis",
            f"redis://127.0.0.1:{redis_port}/0",
            "--no-secret",
            "--prefix=shop",
        )
        assert listener.message().event == "news"


@pytest.mark.redis
def test_nodes_that_drop_it_are_told(redis_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Another secret, or only one side has one."""
    where = ["--redis", f"redis://127.0.0.1:{redis_port}", "--prefix", "shop"]
    for others, arguments in ((None, []), (SECRET + "2", []), (SECRET, ["--no-secret"])):
        with Listener(redis_port, others):
            assert refused("room:1", "news", "{}", *where, *arguments).startswith("one node dropped it: ")
    with Listener(redis_port, None), Listener(redis_port):  # one takes it
        assert said(capsys, "room:1", "news", "{}", *where) == "2 nodes got it\n"


@pytest.mark.redis
def test_without_beats_it_says_what_it_knows(redis_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"redis://127.0.0.1:{redis_port}"
    with Redis.from_url(url) as client, client.pubsub() as other:
        other.psubscribe("quiet:t:*")
        other.get_message(timeout=PATIENCE)
        said_of_it = said(capsys, "room:1", "news", "{}", "--redis", url, "--prefix", "quiet")
        assert said_of_it.startswith("Redis gave it to one node; whether they took it is unknown")
        client.execute_command(
            "ACL", "SETUSER", "publisher", "on", "nopass", "resetchannels", "&*", "nocommands", "+publish"
        )
        publisher = f"redis://publisher:x@127.0.0.1:{redis_port}"
        assert said(capsys, "room:1", "news", "{}", "--redis", publisher, "--prefix", "quiet") == said_of_it


URL = ["--redis", "redis://127.0.0.1:1"]


def test_what_is_wrong_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "the payload is JSON" in refused("room:1", "news", "hello", *URL)
    assert "the payload is JSON" in refused("room:1", "news", "[" * 100_000, *URL)
    assert "name the Redis server of the cluster" in refused("room:1", "news", "{}")
    assert "1 to 64 ASCII letters" in refused("room:1", "news", "{}", *URL, "--prefix", "a:b")
    assert "Redis: " in refused("room:1", "news", "{}", *URL)
    assert "a message has at most" in refused("room:1", "news", f'"{"x" * 2**20}"', *URL)
    assert "cannot be broadcast" in refused("room:1", "news", '"\\ud800"', *URL)
    monkeypatch.setenv("SECRET_KEY_BASE", "short")
    assert "a secret has at least 20 bytes" in refused("room:1", "news", "{}", *URL)
    monkeypatch.delenv("SECRET_KEY_BASE")
    assert "say --no-secret" in refused("room:1", "news", "{}", *URL)


def test_CL35_no_line_holds_the_password() -> None:
    for url in ("redis://:hunter2@127.0.0.1:1", "redis://:hunter2/3@127.0.0.1"):
        assert "hunter2" not in refused("room:1", "news", "{}", "--redis", url)


def test_without_redis_py_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "phxactor.emitter", raising=False)
    assert "pip install 'phxactor[redis]'" in refused("room:1", "news", "{}", *URL)


@pytest.mark.slow
def test_as_a_program_it_ends_with_one_and_a_line() -> None:
    code, out, err = run("broadcast", "room:1", "news", "{}", *URL)
    assert (code, out) == (1, "")
    assert err.startswith("Redis: ")
    assert err.count("\n") == 1
