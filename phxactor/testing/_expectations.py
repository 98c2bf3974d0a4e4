"""The expectations of assertions, and received messages as text."""

from __future__ import annotations

from collections.abc import Container, Mapping

from phxactor.socket import Broadcast, Message, Ref, Reply
from phxactor.testing._client_inbox import Expected, Item
from phxactor.testing._patterns import Fit, Pattern, brief, describe, fit


def expect_push(topic: str, event: str, pattern: Pattern, join_refs: Container[Ref]) -> Expected:
    """Expect an event: a push with one of these join refs, or a broadcast (join ref None)."""

    def meant(item: Item) -> bool:
        return isinstance(item, Message) and (item.topic, item.event) == (topic, event) and item.join_ref in join_refs

    return Expected(f"push {event!r}{_with(pattern)} on {topic!r}", meant, lambda item: fit(pattern, item.payload))


def expect_reply(ref: Ref, status: str | None, pattern: Pattern, described: str) -> Expected:
    """Expect the reply to the message with this ref; `described` is what describes that message in the error text."""

    def compare(item: Item) -> Fit | list[str]:
        assert isinstance(item, Reply)  # noqa: S101 - it was meant
        wrong = [] if status in (None, item.status) else [f"the status is {item.status!r}, not {status!r}"]
        compared = fit(pattern, item.payload)
        if isinstance(compared, Fit):
            return wrong or compared
        return wrong + compared

    def meant(item: Item) -> bool:
        return isinstance(item, Reply) and item.ref == ref

    wanted = "" if status is None else f" {status!r}"
    return Expected(f"reply{wanted}{_with(pattern)} to {described}", meant, compare)


def expect_broadcast(topic: str, event: str, pattern: Pattern) -> Expected:
    """Expect a broadcast, whether a client received it or not."""

    def meant(item: Item) -> bool:
        return isinstance(item, Broadcast) and (item.topic, item.event) == (topic, event)

    return Expected(f"broadcast {event!r}{_with(pattern)} on {topic!r}", meant, lambda item: fit(pattern, item.payload))


def show(item: Item, descriptions: Mapping[Ref, str]) -> str:
    """Return a received message as one line; `descriptions` has the client's messages by ref."""
    match item:
        case Reply():
            described = descriptions.get(item.ref, repr(item.ref))
            return f"reply to {described}: {item.status} {brief(item.payload)} on {item.topic!r}"
        case Broadcast():
            return f"broadcast {item.event!r} {brief(item.payload)} on {item.topic!r}"
        case Message():
            return f"push {item.event!r} {brief(item.payload)} on {item.topic!r}"


def _with(pattern: Pattern) -> str:
    return "" if pattern is ... else f" with {describe(pattern)}"
