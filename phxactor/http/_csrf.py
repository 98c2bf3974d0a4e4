"""CSRF tokens: the token that a page sends must belong to the session (Plug.CSRFProtection 1.16).

The session holds a token of 24 characters. A page holds 56 characters: the masked token, then the mask. Each page gets
a new mask, so that attacks on compression cannot find the token. A page of another site can make the browser send the
cookie, but it does not know the token.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from typing import Final

_TOKEN: Final = 24
"""Characters of a token; a mask has as many."""
_MASKED: Final = 32
"""Characters of a masked token in base64."""


def is_valid(expected: object, shown: object) -> bool:
    """Say whether the text `shown` by a page unmasks to the token `expected` by the session."""
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
