"""A server that says OK to all but PUBLISH, whose answers are given; for what a real Redis does not do on command."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from socket import create_server, socket
from types import TracebackType
from typing import Final, Self

import hiredis

CLOSE: Final = b""
"""In place of an answer: the connection is closed."""
SILENCE: Final = b"-"
"""In place of an answer: nothing."""


class FakeRedis:
    """Answers one PUBLISH after the other as it was told."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.published: list[tuple[bytes, bytes]] = []
        self._answers = list(answers)
        self._listening = create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with socket() as last:
            last.connect(("127.0.0.1", self.port))
            last.sendall(b"*1\r\n$3\r\nEND\r\n")
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection:
                if not self._talk(connection):
                    return

    def _talk(self, connection: socket) -> bool:
        reader = hiredis.Reader()
        while data := connection.recv(65536):
            reader.feed(data)
            while command := reader.gets():
                if command == [b"END"]:
                    return False
                if command[0] != b"PUBLISH":
                    connection.sendall(b"+OK\r\n")
                    continue
                self.published.append((command[1], command[2]))
                answer = self._answers.pop(0)
                if answer == CLOSE:
                    return True
                if answer != SILENCE:
                    connection.sendall(answer)
        return True
