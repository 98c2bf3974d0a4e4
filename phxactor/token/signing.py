"""Signed messages, as Plug.Crypto.MessageVerifier writes them: tokens, and the cookies that hold a session.

Three parts, each in base64url, with dots between: "HS256", the message, and the HMAC-SHA256 of all before the last dot.
"""

from __future__ import annotations

import hmac
from typing import Final

from phxactor.token.base64url import decode_base64url, encode_base64url

_HEADER: Final = encode_base64url(b"HS256")


def sign_message(message: bytes, key: bytes) -> str:
    """Sign a message, which everyone can read."""
    signed = f"{_HEADER}.{encode_base64url(message)}"
    return f"{signed}.{_signature(signed, key)}"


def verify_message(text: str, key: bytes) -> bytes | None:
    """Return the message if it was signed with this key, None otherwise. Takes as long for any wrong signature."""
    signed, _, signature = text.rpartition(".")
    header, _, message = signed.partition(".")
    if header != _HEADER or not text.isascii():
        return None
    # Texts are compared, not what they decode to: so there is one signature for a message, not a few.
    if not hmac.compare_digest(_signature(signed, key), signature):
        return None
    return decode_base64url(message)


def _signature(signed: str, key: bytes) -> str:
    return encode_base64url(hmac.digest(key, signed.encode("ascii"), "sha256"))
