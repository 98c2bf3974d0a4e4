"""CSRF tokens: the token that a page sends must belong to the session (Plug.CSRFProtection 1.16).

The session holds a token of 24 characters. A page holds 56 characters: the masked token, then the mask. Each page gets
a new mask, so that attacks on compression cannot find the token. A page of another site can make the browser send the
cookie, but it does not know the token.

A program with a form of its own keeps the token in a cookie: `new_csrf_token` makes it, `masked_csrf_token` is what the
form holds in a hidden field, `is_valid_csrf_token` compares the two when the form comes back.
"""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64decode, b64encode
from typing import Final

_BYTES: Final = 18
"""Random bytes of a token."""
_TOKEN: Final = 24
"""Characters of a token; a mask has as many."""
_MASKED: Final = 32
"""Characters of a masked token in base64."""


def new_csrf_token() -> str:
    """Return a new random token of 24 characters, for a cookie or a session."""
    return secrets.token_urlsafe(_BYTES)


def masked_csrf_token(token: str) -> str:
    """Return a token with a new mask, 56 characters for a page. Raises ValueError if it is no token."""
    if not (token.isascii() and len(token) == _TOKEN):
        raise ValueError(f"a CSRF token has {_TOKEN} characters of ASCII, as new_csrf_token makes it")
    mask = secrets.token_urlsafe(_BYTES)
    masked = bytes(one ^ other for one, other in zip(token.encode(), mask.encode(), strict=True))
    return b64encode(masked, b"-_").decode() + mask


def is_valid_csrf_token(expected: object, shown: object) -> bool:
    """Say whether the text `shown` by a page unmasks to the token `expected` by the session or the cookie."""
    if not (isinstance(expected, str) and expected.isascii() and len(expected) == _TOKEN):
        return False
    if not (isinstance(shown, str) and shown.isascii() and len(shown) == _MASKED + _TOKEN):
        return False
    masked, mask = shown[:_MASKED], shown[_MASKED:].encode()
    try:
        token = b64decode(masked.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        return False
    unmasked = bytes(one ^ other for one, other in zip(token, mask, strict=False))
    return hmac.compare_digest(unmasked, expected.encode())
