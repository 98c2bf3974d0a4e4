"""The admin socket of a parent: by it `phxactor workers` and `phxactor broadcast` find the workers of this machine.

A Unix socket that only the same user may open, named by the parent's process id. A client sends one line and reads one:

    state                           a `ParentState` as JSON
    publish BASE64                  an envelope, for one worker to publish: `true`, or `false` if none serves

The folder is `phxactor` in $XDG_RUNTIME_DIR, else `phxactor-UID` in the folder for temporary files.
"""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

import orjson
import trio

from phxactor.cluster.carriers.workers import Publish
from phxactor.net import identify, open_unix, remove_unix
from phxactor.otp import IGNORE, ChildSpec, Ignore, Ok, call
from phxactor.runtime import Pid, own, self_pid
from phxactor.workers import events
from phxactor.workers._state import ParentState

SECONDS: Final = 2.0
"""Seconds that a client may take, and that it waits."""
MAX_ENVELOPE: Final = 140_000
"""Most bytes of an envelope: as base64 it fits into one message of a control line."""
MAX_LINE: Final = 200_000
"""Most bytes of a line."""
_PRIVATE: Final = 0o700


class FolderError(Exception):
    """The folder of the admin sockets is not safe to use; the text says why."""


def folder() -> Path:
    """Return the folder of the admin sockets, made if it is missing. Raises FolderError if it is not this user's."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    usable = given is not None and Path(given).is_dir()
    path = Path(given or "") / "phxactor" if usable else Path(tempfile.gettempdir()) / f"phxactor-{os.getuid()}"
    try:
        path.mkdir(mode=_PRIVATE, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise FolderError(f"{path}: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise FolderError(f"{path} is not a folder of this user only")
    return path


# ---------------------------------------------------------------------------------------------------- the parent


def admin_spec(parent: str) -> ChildSpec:
    """Return the child spec of the process that answers for the process registered as `parent`."""
    return ChildSpec(id="admin", start=(_start, (parent,), {}))


def _start(parent: str) -> Ok[Pid] | Ignore:
    """Listen; a parent whose socket cannot be made serves without one."""
    try:
        path = str(folder() / f"{os.getpid()}.sock")
        sock = open_unix(path, 0o600, 16)
        sock.settimeout(0)
        identity = identify(path)
    except (OSError, FolderError) as error:
        if events.no_admin.handlers:
            events.no_admin.emit(why=str(error))
        return IGNORE
    pid = self_pid().runtime.spawn(_serve, sock, parent, link=True, initial_call="Admin")

    def close(_: Pid) -> None:
        sock.close()
        remove_unix(path, identity)

    own(pid, close)
    return Ok(pid)


async def _serve(sock: socket.socket, parent: str) -> None:
    """Run the process: one client after the other."""
    while True:
        await trio.lowlevel.wait_readable(sock)
        try:
            accepted, _ = sock.accept()
        except OSError:
            await trio.sleep(0.1)
            continue
        with trio.move_on_after(SECONDS):
            async with trio.SocketStream(trio.socket.from_stdlib_socket(accepted)) as stream:
                try:
                    await stream.send_all(await _answer(await _line(stream), parent) + b"\n")
                except (trio.BrokenResourceError, ValueError):
                    continue


async def _line(stream: trio.SocketStream) -> bytes:
    """Read to the end of the line. Raises ValueError for a line that is too long."""
    line = bytearray()
    while not line.endswith(b"\n"):
        received = await stream.receive_some()
        line += received
        if not received or len(line) > MAX_LINE:
            raise ValueError("no line")
    return bytes(line[:-1])


async def _answer(line: bytes, parent: str) -> bytes:
    word, _, rest = line.partition(b" ")
    if word == b"state":
        state: ParentState = await call(parent, "state")
        return state.encode()
    if word == b"publish":
        return orjson.dumps(await call(parent, Publish(message=b64decode(rest, validate=True))))
    raise ValueError("an unknown request")


# ----------------------------------------------------------------------------------------------------- a client


def parents() -> list[int]:
    """Return the process ids of this user's parents that run, in order. Raises FolderError."""
    found = []
    for file in sorted(folder().glob("*.sock")):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(SECONDS)
            try:
                probe.connect(str(file))
            except ConnectionRefusedError:  # it was killed
                file.unlink(missing_ok=True)
            except OSError:
                continue
            else:
                found.append(int(file.stem))
    return sorted(found)


def ask_state(parent: int) -> ParentState:
    """Return the state of a parent. Raises OSError if it does not run or does not answer, ValueError for nonsense."""
    return ParentState.decode(_ask(parent, b"state"))


def publish(parent: int, envelope: bytes) -> bool:
    """Have one of a parent's workers publish an envelope; False if none serves.

    Raises as `ask_state`, and ValueError if the envelope has more than `MAX_ENVELOPE` bytes.
    """
    if len(envelope) > MAX_ENVELOPE:
        raise ValueError(f"a message by the workers has at most {MAX_ENVELOPE} bytes; it has {len(envelope)}")
    return _ask(parent, b"publish " + b64encode(envelope)) == b"true"


def _ask(parent: int, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(SECONDS)
        try:
            sock.connect(str(folder() / f"{parent}.sock"))
        except (FileNotFoundError, ConnectionRefusedError):
            raise ConnectionError("no parent of this user has that process id") from None
        sock.sendall(line + b"\n")
        with sock.makefile("rb") as answers:
            return answers.readline().rstrip(b"\n")
