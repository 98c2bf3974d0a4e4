"""The messages of the control line between a parent and its worker, and their form as bytes.

The control line is a pair of sockets (AF_UNIX, SOCK_SEQPACKET). One packet is one message, so a message arrives whole
or not at all, also from a process that was killed. A packet is a JSON object: "kind" names the message, the other keys
are its fields; bytes are base64. Descriptors of files and sockets travel beside the packet (`_control_line`), in the
order of the field `descriptors`.

    parent                                                worker
      ── Configure ──────────────────────────────────────▶  first of all
      ◀─────────────────────────────────────── Hello ─────  its node, and the places that it wants to listen on
      ── Peer (one for each other worker) ───────────────▶  it waits for the lines that come before Listen
      ── Listen (the sockets of its places) ─────────────▶
      ◀─────────────────────────────────────── Ready ─────  it serves
      ◀─────────────────────────────────────── Beat ──────  each second
      ── Peer, Gone ─────────────────────────────────────▶  as other workers come and go
      ◀─────────────────────────────────────── LineLost ──  its line to a peer broke: the parent makes a new one
      ── Publish ────────────────────────────────────────▶  a broadcast of the command line
      ── Stop ───────────────────────────────────────────▶  it lets its clients go, and ends
      ◀─────────────────────────────────────── Stopped ───

A worker that cannot start says why on standard error, as any program, and ends with an exit code above 0. The end of
the line is the end of the other process. Both are of the same version: a worker is started by the command
that started its parent.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

import attrs
import orjson

MAX_BYTES: Final = 200_000
"""Most bytes of a packet: the system's default buffer of such a socket (212,992 bytes) holds one of this size."""
MAX_DESCRIPTORS: Final = 64
"""Most descriptors of one message (Linux allows 253)."""


class ControlError(Exception):
    """Bytes on a control line that are no message, or a message that is too large; the text says what is wrong."""


class DescriptorsLostError(ControlError):
    """A message came without its descriptors, because this process has too many open files (EMFILE)."""

    def __init__(self, message: ControlMessage) -> None:
        """Keep the message."""
        super().__init__(f"the descriptors of a {type(message).__name__} were lost: too many open files")
        self.message = message


@attrs.frozen(kw_only=True)
class ControlMessage:
    """What all messages have in common."""

    descriptors: tuple[int, ...] = attrs.field(default=(), repr=False)
    """Descriptors that travel with the message. The receiver owns those that it gets, and closes them."""

    least_descriptors: ClassVar[int] = 0
    most_descriptors: ClassVar[int] = 0


# ------------------------------------------------------------------------------------------------ parent to worker


@attrs.frozen(kw_only=True)
class Configure(ControlMessage):
    """What a worker is: the first message on its line.

    Its descriptors are the shared memory of the counts, and a file for the stack of a crash (`faulthandler`).
    """

    number: int
    """Which worker it is, from 1, for people: a worker that is started again or reloaded has the number of the last."""
    slot: int
    """Its slot in the shared memory, from 0. No other worker has it as long as this one runs."""
    workers: int
    """How many workers the parent keeps running."""
    slots: int
    """How many slots the shared memory has."""
    name: str
    """The name of its node, for people: `shop@web1/2`."""
    group: bytes
    """The first 8 bytes of its node's id, which all workers of a parent share (`new_node(name, group)`)."""
    secret: str = attrs.field(repr=False)
    """The secret of the parent, for endpoints without `secret_key_base`."""
    generation: int
    """Counts the reloads: 1 for the first workers."""

    least_descriptors: ClassVar[int] = 2
    most_descriptors: ClassVar[int] = 2


@attrs.frozen(kw_only=True)
class Listen(ControlMessage):
    """The listening sockets for the places that `Hello` named, in its order. `error` says why there are none."""

    error: str = ""

    most_descriptors: ClassVar[int] = MAX_DESCRIPTORS


@attrs.frozen(kw_only=True)
class Peer(ControlMessage):
    """A line to another worker: its descriptor is a connected stream socket."""

    node: bytes
    """The id of the node at the other end."""
    name: str
    """The name of that node, for people."""

    least_descriptors: ClassVar[int] = 1
    most_descriptors: ClassVar[int] = 1


@attrs.frozen(kw_only=True)
class Gone(ControlMessage):
    """Another worker has ended."""

    node: bytes


@attrs.frozen(kw_only=True)
class Publish(ControlMessage):
    """An envelope to publish, as if an emitter had sent it: `phxactor broadcast` on this machine."""

    message: bytes


@attrs.frozen(kw_only=True)
class Stop(ControlMessage):
    """Let the clients go in order, then end, as by SIGTERM. A second one changes nothing."""


# ------------------------------------------------------------------------------------------------ worker to parent


@attrs.frozen(kw_only=True)
class Hello(ControlMessage):
    """The worker has read its configuration and its program."""

    node: bytes
    """The id of its node: 16 random bytes."""
    name: str
    process: int
    """Its process id in the system."""
    places: tuple[str, ...]
    """The places that it wants to listen on, each as the JSON text of a `Wanted`.

    Its descriptors are the listening sockets that the program itself has opened, or has been given.
    """

    most_descriptors: ClassVar[int] = MAX_DESCRIPTORS


@attrs.frozen(kw_only=True)
class Ready(ControlMessage):
    """The worker serves."""


@attrs.frozen(kw_only=True)
class Beat(ControlMessage):
    """A sign of life from the loop that runs the worker's processes, each second (NO38)."""

    state: str
    """`starting`, `ready`, `degraded` or `draining`."""
    why: str = ""
    """Why it is degraded."""
    connections: int = 0
    channels: int = 0
    processes: int = 0
    nodes: int = 0
    """Other nodes that it sees."""
    memory: int = 0
    """Bytes."""
    lag: int = 0
    """Milliseconds by which the loop was late, at most, since the last beat."""
    lost: int = 0
    """Messages that it could not send to other nodes so far."""


@attrs.frozen(kw_only=True)
class LineLost(ControlMessage):
    """The line to a peer broke, although the peer may live: the parent hands out a new pair if it does."""

    node: bytes


@attrs.frozen(kw_only=True)
class Stopped(ControlMessage):
    """The worker ends in order now."""

    reason: str = ""


_KINDS: Final[Mapping[str, type[ControlMessage]]] = {
    kind.__name__: kind
    for kind in (Configure, Listen, Peer, Gone, Publish, Stop, Hello, Ready, Beat, LineLost, Stopped)
}


def encode(message: ControlMessage) -> bytes:
    """Return the packet of a message, without its descriptors. Raises ControlError if it is too large."""
    kind = type(message)
    fields: dict[str, object] = {"kind": kind.__name__}
    for field in attrs.fields(kind):
        if field.name != "descriptors":
            value = getattr(message, field.name)
            fields[field.name] = b64encode(value).decode() if isinstance(value, bytes) else value
    packet = orjson.dumps(fields)
    if len(packet) > MAX_BYTES:
        raise ControlError(f"a {kind.__name__} of {len(packet)} bytes: a control line carries at most {MAX_BYTES}")
    return packet


def decode(packet: bytes, descriptors: tuple[int, ...] = (), *, lost: bool = False) -> ControlMessage:
    """Return the message of a packet and the descriptors that came with it. Raises ControlError.

    Decoding is strict: exactly the fields of the kind, each of its type. The caller closes the descriptors after an
    error. If the system has `lost` descriptors, a packet that is right raises DescriptorsLostError.
    """
    if len(packet) > MAX_BYTES:
        raise ControlError(f"a packet of {len(packet)} bytes: a control line carries at most {MAX_BYTES}")
    try:
        fields = orjson.loads(packet)
    except orjson.JSONDecodeError as error:
        raise ControlError(f"a packet that is no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ControlError("a packet that is no JSON object")
    name = fields.pop("kind", None)
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ControlError(f"a message of the unknown kind {name!r:.100}")
    if not lost and not kind.least_descriptors <= len(descriptors) <= kind.most_descriptors:
        raise ControlError(f"a {name} with {len(descriptors)} descriptors")
    wanted = {field.name: str(field.type) for field in attrs.fields(kind) if field.name != "descriptors"}
    if fields.keys() != wanted.keys():
        raise ControlError(f"a {name} with the fields {sorted(fields)!r:.200}, not {sorted(wanted)}")
    values = {key: _CHECKS[wanted[key]](f"{key} of {name}", value) for key, value in fields.items()}
    make: Callable[..., ControlMessage] = kind
    if lost:
        raise DescriptorsLostError(make(**values))
    return make(**values, descriptors=descriptors)


# ------------------------------------------------------------------------------------------------ checks of fields


def _whole(what: str, value: object) -> int:
    if type(value) is not int:
        raise ControlError(f"{what} must be a whole number, not {value!r:.100}")
    return value


def _text(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise ControlError(f"{what} must be a text, not {value!r:.100}")
    return value


def _bytes(what: str, value: object) -> bytes:
    try:
        return b64decode(_text(what, value), validate=True)
    except (Base64Error, ValueError):
        raise ControlError(f"{what} must be base64, not {value!r:.100}") from None


def _texts(what: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ControlError(f"{what} must be a list, not {value!r:.100}")
    return tuple(_text(what, one) for one in value)


_CHECKS: Final[Mapping[str, Callable[[str, object], object]]] = {
    "int": _whole,
    "str": _text,
    "bytes": _bytes,
    "tuple[str, ...]": _texts,
}
"""A check for each type of a field; the types are texts, since annotations are not evaluated here."""
