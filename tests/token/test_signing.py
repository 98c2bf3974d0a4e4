from __future__ import annotations

import hmac

import pytest

from phxactor.token import verify_message
from phxactor.token._base64url import decode_base64url, encode_base64url
from phxactor.token._signing import sign_message

KEY = b"k" * 32


def test_a_message_is_bytes() -> None:
    for message in (b"", b"a", bytes(range(256))):
        assert verify_message(sign_message(message, KEY), KEY) == message


def test_signatures_are_compared_in_constant_time_and_by_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return True

    signed = sign_message(b"message", KEY)
    signature = signed.rpartition(".")[2]
    monkeypatch.setattr(hmac, "compare_digest", compare)
    for wrong in ("A" * 43, "", signature[:-1], "A" + signature[1:]):
        text = signed.removesuffix(signature) + wrong
        assert verify_message(text, KEY) == b"message"  # what compares said yes, and nobody else was asked
        assert compared.pop() == (signature, wrong)


def test_only_hs256_is_known() -> None:
    payload = encode_base64url(b"message")
    for algorithm in (b"none", b"HS384", b"HS512", b""):
        signed = f"{encode_base64url(algorithm)}.{payload}"
        signature = encode_base64url(hmac.digest(KEY, signed.encode(), "sha256"))
        assert verify_message(f"{signed}.{signature}", KEY) is None
        assert verify_message(f"{signed}.", KEY) is None


@pytest.mark.parametrize("text", ["A", "AA=", "AA==", "AB", "A-+/", "AA AA", "AA\n", "ÄÄ", "\udc80", "AAA.", "="])
def test_only_what_is_written_is_read_as_base64url(text: str) -> None:
    assert decode_base64url(text) is None


def test_base64url_has_no_padding_and_its_own_alphabet() -> None:
    assert encode_base64url(b"\xff\xef\xbe\xff") == "_---_w"
    assert decode_base64url("_---_w") == b"\xff\xef\xbe\xff"
    assert decode_base64url("") == b""
