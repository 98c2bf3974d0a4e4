"""Signed messages, as Plug.Crypto.MessageVerifier writes them: tokens, and the cookies that hold a session.

A token has three parts, each in base64url, separated by dots: "HS256", the message, and the HMAC-SHA256 of the text
before the last dot.
"""

from __future__ import annotations

import hmac
from typing import Final

from phxactor.token._base64url import decode_base64url, encode_base64url

_HEADER: Final = encode_base64url(b"HS256")


def sign_message(message: bytes, key: bytes) -> str:
    """Sign a message. Anybody can read the message in the result."""
    signed = f"{_HEADER}.{encode_base64url(message)}"
    return f"{signed}.{_signature(signed, key)}"


def verify_message(text: str, key: bytes) -> bytes | None:
    """Return the message if it was signed with this key, else None. Compares signatures in constant time."""
    signed, _, signature = text.rpartition(".")
    header, _, message = signed.partition(".")
    if header != _HEADER or not text.isascii():
        return None
    # The texts are compared, not the decoded bytes: so each message has exactly one valid signature.
    if not hmac.compare_digest(_signature(signed, key), signature):
        return None
    return decode_base64url(message)


def _signature(signed: str, key: bytes) -> str:
    return encode_base64url(hmac.digest(key, signed.encode("ascii"), "sha256"))
