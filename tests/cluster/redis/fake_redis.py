"""A Redis without a network, in virtual time: it speaks what a carrier needs, and fails as real ones do."""

from __future__ import annotations

from typing import Any

import hiredis
import trio
from trio.testing import MemoryReceiveStream, MemorySendStream


class FakeRedis:
    """One server, whatever number of clients."""

    def __init__(self) -> None:
        self.clients: list[FakeClient] = []
        self.password: bytes | None = None
        self.role = b"master"
        self.is_down = False
        self.denied: set[bytes] = set()
        """Commands that the ACL denies."""
        self.seconds = 0.0
        """How long what it reads is on its way."""
        self.tries = 0
        """How often somebody has tried to connect."""
        self.published: list[tuple[bytes, bytes]] = []
        """Channel and payload of each message."""
        self._is_mute = False

    async def open_stream(self) -> trio.abc.Stream:
        """Connect a client."""
        self.tries += 1
        if self.is_down:
            raise ConnectionRefusedError(111, "Connection refused")
        client = FakeClient(self)
        self.clients.append(client)
        return trio.StapledStream(client.from_it, client.to_it)

    def publish(self, channel: bytes, payload: bytes) -> int:
        """Publish, as a client would."""
        self.published.append((channel, payload))
        readers = [client for client in self.clients if channel in client.channels]
        for client in readers:
            client.say(b">3\r\n$7\r\nmessage\r\n%b%b" % (bulk(channel), bulk(payload)))
        return len(readers)

    def stop(self) -> None:
        """Go down: all clients lose their connections."""
        self.is_down = True
        self.kill()

    def kill(self) -> None:
        """Close all connections."""
        for client in list(self.clients):
            client.close()

    def mute(self) -> None:
        """Stand still, as after SIGSTOP: connections are made, and nothing is read or written."""
        self._is_mute = True

    def unmute(self) -> None:
        """Go on, with all that has come meanwhile on connections that are still there."""
        self._is_mute = False
        for client in [one for one in self.clients if not one.has_left and not one.is_stuck]:
            client.go_on()

    def read_left(self) -> None:
        """Read what was written on connections that have ended while it stood still."""
        for client in [one for one in self.clients if one.has_left]:
            client.go_on()

    @property
    def is_mute(self) -> bool:
        return self._is_mute


class FakeClient:
    """One connection, as the server sees it."""

    def __init__(self, redis: FakeRedis) -> None:
        self.redis = redis
        self.channels: set[bytes] = set()
        self.name = b""
        self.has_left = False
        """Whether it has closed the connection."""
        self.is_stuck = False
        """Whether the server answers others first."""
        self.is_half_open = False
        """Whether all that is sent either way is swallowed."""
        self.most = 2**62
        """Bytes of one message that it may get; with a larger one it is closed (CL22)."""
        self.to_it = MemoryReceiveStream()
        self.from_it = MemorySendStream(send_all_hook=self._take, close_hook=self._left)
        self.commands: list[bytes] = []
        """The names of the commands that came."""
        self._is_in = redis.password is None
        self._reader = hiredis.Reader()
        self._waits: list[bytes] = []

    def say(self, data: bytes) -> None:
        """Send bytes to the client."""
        if self not in self.redis.clients or self.has_left:
            return
        if len(data) > self.most:
            self.close()
        elif self.redis.is_mute:
            self._waits.append(data)
        elif not self.is_half_open:
            self.to_it.put_data(data)

    def close(self) -> None:
        """End the connection."""
        if self in self.redis.clients:
            self._left()
            self.to_it.put_eof()

    def _left(self) -> None:
        self.has_left = True
        if self in self.redis.clients:
            if not self.redis.is_mute:  # else it reads later what was written before the end
                self.redis.clients.remove(self)
            self.from_it.send_all_hook, self.from_it.close_hook = _broken, None  # no cycle

    def go_on(self) -> None:
        """Answer what came while the server was mute."""
        waits, self._waits = self._waits, []
        for data in waits:
            self.say(data)
        self._answer()
        if self.has_left and self in self.redis.clients:
            self.redis.clients.remove(self)

    async def _take(self) -> None:
        data = self.from_it.get_data_nowait()
        if self.redis.seconds:
            await trio.sleep(self.redis.seconds)
        if self not in self.redis.clients:
            raise trio.BrokenResourceError
        if not self.is_half_open:
            self._reader.feed(bytes(data))
            self._answer()

    def _answer(self) -> None:
        while not self.redis.is_mute and not self.is_stuck and self in self.redis.clients:
            command: Any = self._reader.gets()
            if command is False:
                return
            self.commands.append(command[0])
            self._do(command)

    def _do(self, command: list[bytes]) -> None:
        match command:
            case [b"HELLO", b"3", *options]:
                self._hello(options)
            case [name, *_] if name in self.redis.denied:
                self.say(b"-NOPERM User alice has no permissions to run the '%b' command\r\n" % name.lower())
            case _ if not self._is_in:
                self.say(b"-NOAUTH Authentication required.\r\n")
            case [b"SUBSCRIBE" | b"UNSUBSCRIBE" as name, *channels]:
                for channel in channels:
                    (self.channels.add if name == b"SUBSCRIBE" else self.channels.discard)(channel)
                    self.say(b">3\r\n%b%b:%d\r\n" % (bulk(name.lower()), bulk(channel), len(self.channels)))
            case [b"PUBLISH", channel, payload]:
                self.say(b":%d\r\n" % self.redis.publish(channel, payload))
            case _:
                self.say(
                    b"-ERR unknown command '%b', with args beginning with: '3' 'AUTH' 'alice' 'pw'\r\n" % command[0]
                )

    def _hello(self, options: list[bytes]) -> None:
        match options:
            case [b"AUTH", _, password, b"SETNAME", name]:
                self._is_in = self.redis.password in (None, password)
                if not self._is_in:
                    self.say(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")
                    return
            case [b"SETNAME", name]:
                if not self._is_in:
                    self.say(b"-NOAUTH HELLO must be called with the client already authenticated\r\n")
                    return
            case _:
                raise AssertionError(options)
        self.name = name
        self.say(b"%%2\r\n%b:3\r\n%b%b" % (bulk(b"proto"), bulk(b"role"), bulk(self.redis.role)))


async def _broken() -> None:
    raise trio.BrokenResourceError


def bulk(text: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text), text)
