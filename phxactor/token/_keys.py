"""Keys: derived from a secret and a salt, as Plug.Crypto.KeyGenerator does (PBKDF2, RFC 8018 section 5.2)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final, Literal, Protocol, TypeAlias, get_args

KeyDigest: TypeAlias = Literal["sha256", "sha384", "sha512"]
"""The hash function of the key derivation."""


class SecretHolder(Protocol):
    """Anything that has a secret, such as an endpoint."""

    @property
    def secret_key_base(self) -> str | bytes | None:
        """The secret that all keys are derived from; None if there is none."""


Secret: TypeAlias = str | bytes | SecretHolder
"""A secret, or an object that has one."""

MIN_SECRET: Final = 20
"""The least length of a secret, in bytes, as in Phoenix.Token. `secrets.token_urlsafe(48)` makes a good secret."""

_MAX_KEY: Final = 1024  # bytes: keeps the cache of keys small; a key of more than 64 bytes is no safer


def derive_key(secret: Secret, salt: str | bytes, *, iterations: int, length: int, digest: KeyDigest) -> bytes:
    """Derive a key of `length` bytes. The 128 keys used last are cached, because a derivation takes long.

    Raises ValueError or TypeError for a secret or an option that is not valid. No error text contains the secret.
    """
    if digest not in get_args(KeyDigest):
        raise ValueError(f"key_digest is one of {', '.join(get_args(KeyDigest))}, not {digest!r}")
    if iterations < 1:
        raise ValueError(f"key_iterations is at least 1, not {iterations}")
    if not 1 <= length <= _MAX_KEY:
        raise ValueError(f"key_length is 1 to {_MAX_KEY} bytes, not {length}")
    if not isinstance(salt, str | bytes):
        raise TypeError(f"a salt is a str or bytes, not {type(salt).__qualname__}")
    return _derive(_secret(secret), _utf8(salt, "a salt"), iterations, length, digest)


@lru_cache(maxsize=128)
def _derive(secret: bytes, salt: bytes, iterations: int, length: int, digest: str) -> bytes:
    return hashlib.pbkdf2_hmac(digest, secret, salt, iterations, length)


def _secret(given: Secret) -> bytes:
    value = given if isinstance(given, str | bytes) else getattr(given, "secret_key_base", given)
    if value is None:
        raise ValueError(f"the {type(given).__qualname__} has no secret_key_base")
    if not isinstance(value, str | bytes):
        raise TypeError(f"a secret is a str, bytes or an object with a secret_key_base, not {type(value).__qualname__}")
    secret = _utf8(value, "secret_key_base")
    if len(secret) < MIN_SECRET:
        raise ValueError(f"secret_key_base has at least {MIN_SECRET} bytes; secrets.token_urlsafe(48) makes a good one")
    return secret


def _utf8(text: str | bytes, name: str) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass  # this error contains the secret, so no other error may have it as its cause
    raise ValueError(f"{name} contains half of a surrogate pair, which UTF-8 cannot encode")
