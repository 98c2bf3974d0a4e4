"""docs/envelope.md: its example, its emitter for Node and its line for redis-cli, byte for byte."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import redis

from phxactor.emitter import Emitter
from phxactor.envelope import Frame, Kind, Message, Seal, channel_of_lane, decode
from tests.emitter.listener import SECRET, Listener
from tests.patience import PATIENCE
from tests.test_readme import blocks

PAGE = Path(__file__).parents[2] / "docs" / "envelope.md"
EXAMPLE = Frame(
    sender=bytes(range(16)),
    number=1,
    previous=0,
    sent_at=1767225600000,
    message=b"\x01\x02\x0f\x00\x06\x00\x04endpoint.pubsubroom:1news" + b'{"text":"hello"}',
)
CHANNEL = b"shop:t:endpoint.pubsub:room:1"
PAGES_SECRET = "the secret of this page, no other"

MAIN = """
import { broadcast } from "./emitter.mjs"
for (const [topic, event, payload, scope] of JSON.parse(process.argv[2])) {
  const [channel, data] = broadcast("shop", topic, event, payload, scope)
  console.log(channel.toString("hex"), data.toString("hex"))
}
"""


def test_the_table_is_the_example() -> None:
    rows = [row.split("|") for row in PAGE.read_text().splitlines() if row.startswith("| ")]
    cells = [re.fullmatch(r" `((?:[0-9a-f]{2} ?)+)` ", row[-2]) for row in rows if len(row) == 6]
    table = bytes.fromhex("".join(cell[1] for cell in cells if cell is not None))
    assert table == Seal(PAGES_SECRET).seal(CHANNEL, EXAMPLE)


def test_the_table_says_where_things_are() -> None:
    at = 0
    for row in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in row.split("|")]
        if len(cells) == 6 and (data := re.fullmatch(r"`((?:[0-9a-f]{2} ?)+)`", cells[4])):
            size = len(bytes.fromhex(data[1]))
            assert cells[1] in ("", str(at), "the last")
            assert cells[2] in ("", str(size))
            at += size


def test_the_key_is_that_of_the_example() -> None:
    key = hashlib.pbkdf2_hmac("sha256", PAGES_SECRET.encode(), b"phxactor cluster", 1000, 32)
    assert f"`{key.hex()}`" in PAGE.read_text()


@pytest.mark.node
def test_CL48_the_emitter_for_node_makes_the_bytes_of_this_one(tmp_path: Path, node: str) -> None:
    (code,) = (block.text for block in blocks(PAGE) if block.language == "js")
    assert len(code.splitlines()) <= 20
    (tmp_path / "emitter.mjs").write_text(code)
    (tmp_path / "main.mjs").write_text(MAIN)
    said = (
        """[["room:1", "news", {"text": "hello"}], ["grüße:1", "e", null, "chat.pubsub"], ["room:1", "", [1, 2.5]]]"""
    )
    done = subprocess.run(
        [node, "main.mjs", said],
        cwd=tmp_path,
        env={"SECRET_KEY_BASE": SECRET},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr == ""
    seal = Seal(SECRET)
    messages = []
    senders = set()
    for count, line in enumerate(done.stdout.splitlines(), 1):
        channel, data = map(bytes.fromhex, line.split())
        frame = seal.open(channel, data)
        assert seal.seal(channel, frame) == data
        assert (frame.number, frame.previous) == (count, 0)
        senders.add(frame.sender)
        messages.append(decode(frame.message))
        assert channel == channel_of_lane("shop", f"{messages[-1].scope}:{messages[-1].topic}")
    assert messages == [
        Message(Kind.BROADCAST, "endpoint.pubsub", "room:1", "news", b'{"text":"hello"}'),
        Message(Kind.BROADCAST, "chat.pubsub", "grüße:1", "e", b"null"),
        Message(Kind.BROADCAST, "endpoint.pubsub", "room:1", "", b"[1,2.5]"),
    ]
    assert len(senders) == 1


@pytest.mark.redis
def test_CL48_the_line_for_redis_cli_is_a_broadcast(redis_port: int) -> None:
    (line,) = re.findall(r"\$ redis-cli (PUBLISH .*)\n    \(integer\) 1\n", PAGE.read_text())
    with Listener(redis_port, None) as listener:
        command = ["redis-cli", "-p", str(redis_port), *shlex.split(line)]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"
        assert listener.message() == Message(Kind.BROADCAST, "endpoint.pubsub", "room:1", "news", b'{"text":"hello"}')


@pytest.mark.redis
def test_CL34_the_acl_of_the_page_is_enough_for_an_emitter(redis_port: int, listener: Listener) -> None:
    (line,) = re.findall(r"^    (ACL SETUSER .*)$", PAGE.read_text(), re.MULTILINE)
    with redis.Redis(port=redis_port) as client:
        client.execute_command(*line.split())
    with Emitter(f"redis://emitter:PASSWORD@127.0.0.1:{redis_port}", prefix="shop", secret=SECRET) as emitter:
        assert emitter.broadcast("room:1", "news", {}) == 1
    assert listener.message().event == "news"
    other = Emitter(f"redis://emitter:PASSWORD@127.0.0.1:{redis_port}", prefix="other", secret=SECRET)
    with other, pytest.raises(redis.exceptions.NoPermissionError):
        other.broadcast("room:1", "news", {})
