"""Assertions that must hold after any crash, one line each.

    async with nothing_leaked(pubsub): ...      no new processes, names, monitors, links, timers, subscriptions
    async with untouched(sibling): ...          the process lives on, and has not been restarted
    assert_answered(trace)                      each call is answered once
    assert_ended_once(client.received)          a client gets one phx_close or phx_error for each channel that ends
    assert_replied_once(client.received, client.sent)
                                                and gets one reply to each of its messages
    assert_restarts(supervisor, {"b": 1})       the children that a supervisor restarted, and how often

All raise AssertionError, and name the process, message or child that breaks the rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager

from phxactor.otp import Call, Server, Supervisor
from phxactor.pubsub import PubSub
from phxactor.runtime import Answer, From, Pid, Runtime, format_reason, self_pid
from phxactor.socket import Message, Ref, Reply
from phxactor.testing._settle import settle
from phxactor.testing._trace import Happening, Trace


def belongings(runtime: Runtime, pubsubs: Iterable[PubSub] = ()) -> Counter[str]:
    """Return all that a runtime keeps for its processes, as descriptions that do not change while the things exist."""
    there: Counter[str] = Counter()
    for pid in runtime.processes.values():
        there[f"process {pid!r}"] += 1
        there.update(f"monitor of {pid!r} on {watch.target!r}" for watch in pid.monitors or ())
        there.update(f"link of {pid!r} and {other!r}" for other in pid.links or () if other.number > pid.number)
    there.update(f"name {name!r} of {pid!r}" for name, pid in runtime.names.all().items())
    there.update(f"timer for {timer.destination or timer.callback!r}" for timer in runtime.pending_timers())
    for pubsub in pubsubs:
        for topic in pubsub.topics() if pubsub.runs() else ():
            there.update(f"subscription of {one.pid!r} to {topic!r}" for one in pubsub.subscribers(topic))
    return there


@asynccontextmanager
async def nothing_leaked(*pubsubs: PubSub) -> AsyncIterator[None]:
    """Assert that, when nothing more happens after the block, the runtime holds nothing new; else AssertionError."""
    runtime = self_pid().runtime
    await settle()
    before = belongings(runtime, pubsubs)
    yield
    await settle()
    left = belongings(runtime, pubsubs) - before
    if left:
        lines = [f"{count} times {what}" if count > 1 else what for what, count in left.items()]
        raise AssertionError("\n    ".join(["there has been left behind", *lines]))


@asynccontextmanager
async def untouched(*pids: Pid) -> AsyncIterator[None]:
    """Assert that these processes are alive when nothing more happens after the block; else AssertionError."""
    yield
    await settle()
    ended = [f"{pid!r}: {format_reason(pid.exit_reason)}" for pid in pids if not pid.alive]
    if ended:
        raise AssertionError("\n    ".join(["there have ended", *ended]))


def assert_answered(trace: Trace) -> None:
    """Assert that every call of a trace was answered once; a call whose server or caller has ended may be unanswered.

    Use it when nothing more happens (`settle`): a call that will be answered later counts as unanswered.
    """
    asked: dict[From, Happening] = {}
    answers: Counter[From] = Counter()
    ended = {happening.by for happening in trace.of("exits")}
    for sent in trace.of("sends"):
        if isinstance(sent.what, Call):
            asked[sent.what.from_] = sent
        elif isinstance(sent.what, Answer):
            answers[sent.what.ref] += 1
    for ref, sent in asked.items():
        if answers[ref] > 1:
            raise AssertionError(f"there were {answers[ref]} answers: {sent.text}")
        if not answers[ref] and sent.whom not in ended and sent.by not in ended:
            raise AssertionError(f"there was no answer: {sent.text}")


def assert_ended_once(received: Iterable[Message | Reply], still_joined: Collection[Ref] = ()) -> None:
    """Assert that a client got one `phx_close` or `phx_error` for the end of each channel that it had joined.

    `received` is all that the client received, in order: `client.received`. `still_joined` are the join refs of the
    channels that are alive: for these, the client must not have got one; nor for any channel before its join.
    """
    ends: dict[Ref, list[str]] = {}
    for item in received:
        ended = isinstance(item, Message) and item.event in ("phx_close", "phx_error")
        if isinstance(item, Reply) and item.status == "ok" and item.ref == item.join_ref:
            ends[item.join_ref] = []
        elif isinstance(item, Message) and ended:
            if item.join_ref not in ends:
                raise AssertionError(f"{item.event} of {item.topic!r} for {item.join_ref!r}, which was not let in")
            ends[item.join_ref].append(item.event)
    for ref, events in ends.items():
        if len(events) != (ref not in still_joined):
            lives = "lives" if ref in still_joined else "has ended"
            raise AssertionError(f"the channel of the join {ref!r} {lives}, and its client got {events}")


def assert_replied_once(received: Iterable[Message | Reply], sent: Iterable[Message]) -> None:
    """Assert that each of a client's messages got one reply. A message whose channel has ended may have got none.

    `received` is all that the client received: `client.received`. `sent` are the messages of `client.sent` that must be
    answered, since channels need not answer all.
    """
    replies: Counter[Ref] = Counter()
    ended: set[Ref] = set()
    for item in received:
        if isinstance(item, Reply):
            replies[item.ref] += 1
        elif item.event in ("phx_close", "phx_error"):
            ended.add(item.join_ref)
    for message in sent:
        count = replies[message.ref]
        if count > 1 or (not count and message.join_ref not in ended):
            what = f"{message.event!r} of ref {message.ref!r} on {message.topic!r}"
            raise AssertionError(f"there were {count} replies to {what}" if count else f"there was no reply to {what}")


def assert_restarts(supervisor: Server, restarts: Mapping[object, int]) -> None:
    """Assert how often a supervisor has restarted its children, by id. Children not named must never be restarted."""
    seen = {child.id: child.restarts for child in Supervisor.statistics(supervisor).children}
    if seen != {**dict.fromkeys(seen, 0), **restarts}:
        raise AssertionError(f"the restarts of the children are {seen}, and should be {dict(restarts)}")
