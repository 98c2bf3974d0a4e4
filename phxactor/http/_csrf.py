"""Tokens against forged requests: the one that a page shows must be the session's (Plug.CSRFProtection 1.16).

The session holds 24 characters, the page shows 56: the same, masked anew for each page so that compression cannot tell
it, and the mask. Another site's page has the browser send the cookie, but cannot know what to show.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from typing import Final

_TOKEN: Final = 24
"""Characters of a token, and of a mask."""
_MASKED: Final = 32
"""Characters of a masked token in base64."""


def is_valid(expected: object, shown: object) -> bool:
    """Say whether what a page shows is the token that the session expects."""
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
