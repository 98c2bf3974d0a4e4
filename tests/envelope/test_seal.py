from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.envelope import NOBODY, OVERHEAD, EnvelopeError, Fault, Frame, Kind, Message, Seal, decode
from tests.envelope.strategies import frames

SECRET = "a secret of the tests, which is long enough"
SEALED = Seal(SECRET)
OPEN = Seal(None)
CHANNEL = b"shop:t:endpoint.pubsub:room:1"
FRAME = Frame(bytes(range(16)), 7, 5, 1_700_000_000_000, b"\x01a message")


def fault_of(seal: Seal, data: bytes, channel: bytes = CHANNEL) -> Fault:
    with pytest.raises(EnvelopeError) as raised:
        seal.open(channel, data)
    return raised.value.fault


def test_the_bytes_are_as_documented() -> None:
    key = hashlib.pbkdf2_hmac("sha256", SECRET.encode(), b"phxactor cluster", 1000, 32)
    body = b"\x01" + FRAME.sender
    for number in (7, 5, 1_700_000_000_000):
        body += number.to_bytes(8)
    body += FRAME.message
    tag = hmac.new(key, len(CHANNEL).to_bytes(4) + CHANNEL + body, "sha256").digest()[:16]
    assert SEALED.seal(CHANNEL, FRAME) == body + tag
    assert OPEN.seal(CHANNEL, FRAME) == b"\x81" + body[1:]


@pytest.mark.parametrize("secret", [SECRET, SECRET.encode(), None])
@given(frame=frames(), channel=st.binary(max_size=40))
def test_what_was_sealed_is_opened(secret: str | bytes | None, frame: Frame, channel: bytes) -> None:
    assert Seal(secret).open(channel, Seal(secret).seal(channel, frame)) == frame


@given(frames(), st.data())
def test_CL32_a_changed_byte_is_noticed(frame: Frame, data: st.DataObject) -> None:
    sealed = bytearray(SEALED.seal(CHANNEL, frame))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    assert fault_of(SEALED, bytes(sealed)) in ("version", "secret") if at == 0 else ("forged",)


@given(frames(), st.data())
def test_CL32_bytes_taken_off_or_put_on_are_noticed(frame: Frame, data: st.DataObject) -> None:
    sealed = SEALED.seal(CHANNEL, frame)
    cut = data.draw(st.integers(1, len(sealed) - 1))
    assert fault_of(SEALED, sealed[:cut]) == ("length" if cut < OVERHEAD else "forged")
    assert fault_of(SEALED, sealed + data.draw(st.binary(min_size=1, max_size=20))) == "forged"


@pytest.mark.parametrize("seal", [SEALED, OPEN])
@given(st.one_of(st.binary(max_size=100), st.binary(max_size=100).map(lambda rest: b"\x81" + rest)))
def test_CL31_any_bytes_are_a_frame_or_an_envelope_error(seal: Seal, data: bytes) -> None:
    try:
        frame = seal.open(CHANNEL, data)
    except EnvelopeError:
        return
    assert seal is OPEN  # nobody guesses a seal
    assert seal.seal(CHANNEL, frame) == data


def test_CL32_a_frame_of_another_channel_is_forged() -> None:
    assert fault_of(SEALED, SEALED.seal(CHANNEL, FRAME), b"shop:all") == "forged"


def test_CL32_a_byte_moved_between_channel_and_frame_is_forged() -> None:
    """The length of the channel's name is under the seal, so the two cannot be cut elsewhere."""
    inner = SEALED.seal(CHANNEL + b"\x01", FRAME)
    assert fault_of(SEALED, b"\x01" + inner, CHANNEL) == "forged"


def test_CL32_a_frame_of_another_secret_is_forged() -> None:
    assert fault_of(Seal("another secret, which is long enough"), SEALED.seal(CHANNEL, FRAME)) == "forged"


def test_with_and_without_a_secret_are_told_apart() -> None:
    assert fault_of(OPEN, SEALED.seal(CHANNEL, FRAME)) == "secret"
    assert fault_of(SEALED, OPEN.seal(CHANNEL, FRAME)) == "secret"
    assert fault_of(SEALED, b'{"v":1,"topic":"t","event":"e","payload":{}}') == "secret"


@pytest.mark.parametrize("seal", [SEALED, OPEN])
@pytest.mark.parametrize(("data", "fault"), [(b"", "length"), (b"\x02", "version"), (b"\x82" + bytes(80), "version")])
def test_CL64_another_version_is_told_apart_from_garbage(seal: Seal, data: bytes, fault: Fault) -> None:
    assert fault_of(seal, data) == fault


@pytest.mark.parametrize(("number", "previous"), [(0, 0), (5, 5), (5, 6)])
def test_CL33_a_number_that_no_sender_gives_is_refused(number: int, previous: int) -> None:
    frame = FRAME._replace(number=number, previous=previous)
    for seal in (SEALED, OPEN):
        assert fault_of(seal, seal.seal(CHANNEL, frame)) == "number"


@pytest.mark.parametrize("change", [{"number": -1}, {"sent_at": 2**64}, {"sender": b"short"}])
def test_a_frame_that_cannot_become_bytes_is_refused(change: dict[str, int | bytes]) -> None:
    with pytest.raises(ValueError, match="bytes"):
        SEALED.seal(CHANNEL, FRAME._replace(**change))  # type: ignore[arg-type]


@pytest.mark.parametrize("secret", [SECRET, None])
def test_CL37_a_frame_has_a_size(secret: str | None) -> None:
    seal = Seal(secret, 100)
    most = FRAME._replace(message=bytes(100))
    assert seal.open(CHANNEL, seal.seal(CHANNEL, most)) == most
    assert fault_of(seal, bytes([1 if secret else 0x81]) + bytes(100 + OVERHEAD)) == "size"


def test_CL48_without_a_secret_the_json_form_is_a_frame_of_nobody() -> None:
    frame = OPEN.open(CHANNEL, b'{"v":1,"topic":"room:1","event":"news","payload":{"a":1}}')
    assert frame[:4] == (NOBODY, 0, 0, 0)
    assert decode(frame.message) == Message(Kind.BROADCAST, "endpoint.pubsub", "room:1", "news", b'{"a":1}')


@pytest.mark.parametrize("secret", ["short", "", b"x" * 19, "\ud800" * 20])
def test_a_secret_is_long_enough(secret: str | bytes) -> None:
    with pytest.raises(ValueError, match="at least 20 bytes") as raised:
        Seal(secret)
    assert raised.value.__context__ is None
    assert not secret or str(secret) not in str(raised.value)


def test_a_secret_is_text_or_bytes() -> None:
    with pytest.raises(TypeError, match="not int"):
        Seal(5)  # type: ignore[arg-type]


def test_CL35_a_seal_shows_no_key() -> None:
    key = hashlib.pbkdf2_hmac("sha256", SECRET.encode(), b"phxactor cluster", 1000, 32)
    assert SECRET not in repr(SEALED)
    assert repr(key) not in repr(SEALED)
