from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.envelope import EnvelopeError, Fault, Kind, Message, from_json
from tests.envelope.strategies import TEXTS

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(TEXTS, TEXTS, JSON)
def test_CL48_whatever_broadcast_can_be_typed(topic: str, event: str, payload: object) -> None:
    read = from_json(orjson.dumps({"v": 1, "topic": topic, "event": event, "payload": payload}))
    assert read[:4] == (Kind.BROADCAST, "endpoint.pubsub", topic, event)
    assert orjson.loads(read.payload) == payload


def test_CL48_another_scope_can_be_named() -> None:
    read = from_json(b' {"v": 1, "scope": "news", "topic": "t", "event": "e", "payload": [1, "\\u00e9"]}\n')
    assert read == Message(Kind.BROADCAST, "news", "t", "e", '[1,"é"]'.encode())


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"{", "json"),
        (b"[]", "json"),
        (b"{}", "json"),
        (b'{"v":1,"topic":"t","event":"e"}', "json"),
        (b'{"v":1,"topic":"t","event":"e","payload":{},"scoop":"x"}', "json"),
        (b'{"v":1,"topic":1,"event":"e","payload":{}}', "json"),
        (b'{"v":1,"topic":"t","event":null,"payload":{}}', "json"),
        (b'{"v":1,"topic":"t","event":"e","payload":{},"scope":null}', "json"),
        (b'{"v":1,"topic":"t","event":"e","payload":NaN}', "json"),
        (b'{"v":1,"topic":"t","event":"e","payload":"\xff"}', "json"),
        (b'{"v":1,"topic":"t","event":"e","payload":"\\ud800"}', "json"),
        (b'{"v":1,"topic":"t","event":"e","payload":' + b"[" * 400 + b"]" * 400 + b"}", "json"),
        (b'{"v":1,"topic":"t","event":"e","payload":' + b"[" * 5000 + b"]" * 5000 + b"}", "json"),
        (b'{"v":2,"topic":"t","event":"e","payload":{}}', "version"),
        (b'{"v":true,"topic":"t","event":"e","payload":{}}', "version"),
        (b'{"v":"1","topic":"t","event":"e","payload":{}}', "version"),
        (b"{" + b" " * 20_000, "size"),
    ],
)
def test_CL31_what_is_not_exactly_it_is_refused(data: bytes, fault: Fault) -> None:
    with pytest.raises(EnvelopeError) as raised:
        from_json(data, 15_000)
    assert raised.value.fault == fault


@given(st.binary(max_size=80))
def test_CL31_any_bytes_are_a_message_or_an_envelope_error(data: bytes) -> None:
    with pytest.raises(EnvelopeError):
        from_json(data)
