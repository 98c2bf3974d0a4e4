"""Base64 with the alphabet for URLs and without padding (RFC 4648 section 5): the text form of tokens."""

from __future__ import annotations

import base64


def encode_base64url(data: bytes) -> str:
    """Encode bytes, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes | None:
    """Decode the text of `encode_base64url`; None for any other text, also for another spelling of the same bytes."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return data if encode_base64url(data) == text else None
