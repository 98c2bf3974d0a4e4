"""What the signals of another node do here. Whatever comes, nothing but DecodeError and EnvelopeError is raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from phxactor.distribution._codec_decode import decode
from phxactor.distribution._codec_errors import DecodeError
from phxactor.distribution._frames import Op, Signal
from phxactor.distribution._peer import Peer
from phxactor.distribution._pids import RemoteMonitor
from phxactor.envelope import EnvelopeError
from phxactor.otp import Call, Cast
from phxactor.runtime import (
    DEAD,
    NOPROC,
    Answer,
    From,
    Pid,
    State,
    down_elsewhere,
    drop_monitor,
    exit_signal,
    link_ended_elsewhere,
)

Take: TypeAlias = Callable[[Peer, Signal, "Pid | None", bytes], None]
"""Takes a signal, its local target if it has one, and what comes after the target's name."""


def take(peer: Peer, signal: Signal) -> None:
    """Do what a signal says. Raises DecodeError or EnvelopeError for one that says nothing."""
    found = _TAKES.get(signal.op)
    if found is None:
        raise EnvelopeError("version", f"a signal {signal.op} is not known")
    take_it, addressed = found
    target, rest = None, signal.rest
    if addressed == "name":
        if signal.target > len(rest):
            raise EnvelopeError("length", "a name has fewer bytes than it says")
        try:
            name = rest[: signal.target].decode()
        except UnicodeDecodeError:
            raise EnvelopeError("text", "a name is not UTF-8") from None
        target, rest = peer.runtime.names.whereis(name), rest[signal.target :]
    elif addressed == "pid":
        target = peer.tables.local_pid(signal.target)
    take_it(peer, signal, None if target is None or target.state is DEAD else target, rest)


def _value(peer: Peer, rest: bytes) -> object:
    return decode(rest, peer.written, peer.max_bytes)


def _send(peer: Peer, _signal: Signal, target: Pid | None, rest: bytes) -> None:
    value = _value(peer, rest)
    if target is not None:
        target.deliver(value)


def _cast(peer: Peer, _signal: Signal, target: Pid | None, rest: bytes) -> None:
    value = _value(peer, rest)
    if target is not None:
        target.deliver(Cast(value))


def _exit(peer: Peer, signal: Signal, target: Pid | None, rest: bytes) -> None:
    reason = _value(peer, rest)
    if target is not None:
        exit_signal(target, peer.pid(signal.source), reason)


# ------------------------------------------------------------------------------------------------------- links


def _link(peer: Peer, signal: Signal, target: Pid | None, _rest: bytes) -> None:
    pid = peer.pid(signal.source)
    if target is None:
        gone = peer.tables.local_pid(signal.target)
        peer.signal(Op.LINK_ENDED, gone, pid, NOPROC)
        return
    if target.links is None:
        target.links = {}
    if pid.links is None:
        pid.links = {}
    late = target.state is not State.ALIVE
    target.links.setdefault(pid, late)
    pid.links.setdefault(target, late)


def _unlink(peer: Peer, signal: Signal, target: Pid | None, _rest: bytes) -> None:
    pid = peer.pid(signal.source)
    if target is not None:
        if target.links is not None:
            target.links.pop(pid, None)
        if pid.links is not None:
            pid.links.pop(target, None)
    peer.put(Op.UNLINKED, source=peer.tables.local_pid(signal.target), target=pid, ref=signal.ref)


def _unlinked(peer: Peer, signal: Signal, target: Pid | None, _rest: bytes) -> None:
    if target is None:
        target = peer.tables.local_pid(signal.target)
    pair = target, peer.pid(signal.source)
    if peer.unlinking.get(pair) == signal.ref:
        del peer.unlinking[pair]


def _link_ended(peer: Peer, signal: Signal, target: Pid | None, rest: bytes) -> None:
    reason = _value(peer, rest)
    pid = peer.pid(signal.source)
    if target is not None and (target, pid) not in peer.unlinking:
        link_ended_elsewhere(pid, target, reason)


# ---------------------------------------------------------------------------------------------------- monitors


def _watched(peer: Peer, signal: Signal, target: Pid | None, *, of_call: bool) -> RemoteMonitor | None:
    """Let a remote process watch a local one; None if that has ended, which is told."""
    if target is None:
        peer.put(Op.DOWN, ref=signal.ref, rest=peer.encode(NOPROC))
        return None
    owner = peer.pid(signal.source)
    watch = RemoteMonitor(owner, target, signal.ref, of_call=of_call)
    watch.late = target.state is not State.ALIVE
    if owner.monitors is None:
        owner.monitors = {}
    owner.monitors[watch] = None
    if target.watchers is None:
        target.watchers = {}
    target.watchers[watch] = None
    peer.held[signal.ref] = watch
    return watch


def _monitor(peer: Peer, signal: Signal, target: Pid | None, _rest: bytes) -> None:
    _watched(peer, signal, target, of_call=False)


def _demonitor(peer: Peer, signal: Signal, _target: Pid | None, _rest: bytes) -> None:
    watch = peer.held.pop(signal.ref, None)
    if watch is not None:
        drop_monitor(watch)


def _down(peer: Peer, signal: Signal, _target: Pid | None, rest: bytes) -> None:
    reason = _value(peer, rest)
    watch = peer.tables.ref(signal.ref)
    if watch is not None and (monitor := peer.watched(watch)) is not None:
        if monitor.target is None:  # of a process whose start is not answered yet
            monitor.target = peer.pid(signal.source)
        down_elsewhere(monitor, reason)


# ------------------------------------------------------------------------------------------------------- calls


def _call(peer: Peer, signal: Signal, target: Pid | None, rest: bytes) -> None:
    try:
        request = _value(peer, rest)
    except DecodeError as error:
        peer.put(Op.DOWN, ref=signal.ref, rest=peer.encode(("undecodable", str(error))))
        raise
    watch = _watched(peer, signal, target, of_call=True)
    if watch is not None and target is not None:
        target.deliver(Call(request, watch))


def _forward(peer: Peer, _signal: Signal, target: Pid | None, rest: bytes) -> None:
    match _value(peer, rest):
        case (From() as from_, request):
            if target is not None:
                target.deliver(Call(request, from_))
        case _:
            raise DecodeError("a request on behalf of another process is a pair")


def _reply(peer: Peer, signal: Signal, _target: Pid | None, rest: bytes) -> None:
    try:
        value = _value(peer, rest)
    except DecodeError as error:
        ref = peer.tables.ref(signal.ref)
        if ref is not None and (monitor := peer.watched(ref)) is not None:
            down_elsewhere(monitor, ("undecodable", str(error)))
        raise
    ref = peer.tables.ref(signal.ref)
    if ref is None:
        return
    if signal.op == Op.LAST_REPLY:
        peer.watched(ref)
    if ref.active:
        ref.owner.deliver(Answer(ref, value))


_TAKES: Final[dict[int, tuple[Take, str]]] = {
    Op.SEND: (_send, "pid"),
    Op.SEND_NAMED: (_send, "name"),
    Op.EXIT: (_exit, "pid"),
    Op.LINK: (_link, "pid"),
    Op.UNLINK: (_unlink, "pid"),
    Op.UNLINKED: (_unlinked, "pid"),
    Op.LINK_ENDED: (_link_ended, "pid"),
    Op.MONITOR: (_monitor, "pid"),
    Op.MONITOR_NAMED: (_monitor, "name"),
    Op.DEMONITOR: (_demonitor, ""),
    Op.DOWN: (_down, ""),
    Op.CALL: (_call, "pid"),
    Op.CALL_NAMED: (_call, "name"),
    Op.CAST: (_cast, "pid"),
    Op.CAST_NAMED: (_cast, "name"),
    Op.REPLY: (_reply, ""),
    Op.LAST_REPLY: (_reply, ""),
    Op.FORWARD: (_forward, "pid"),
    Op.FORWARD_NAMED: (_forward, "name"),
}
"""What takes a signal, and how its target is addressed."""
