"""Base64 with the alphabet for URLs and no padding (RFC 4648 section 5), as tokens are written."""

from __future__ import annotations

import base64


def encode_base64url(data: bytes) -> str:
    """Write bytes, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes | None:
    """Read what `encode_base64url` writes; None for every other text, be it another text for the same bytes."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return data if encode_base64url(data) == text else None
