"""Tokens: what a server gives to a client to be shown again, as Phoenix.Token makes and reads them.

A token's message is the external term of `(data, signed_at, max_age)`, in milliseconds since the epoch and in seconds.
"""

from __future__ import annotations

import math
import time
from typing import Final, TypeAlias

from phxactor.otp.results import UNSET, Error, Ok, Unset
from phxactor.token.encryption import decrypt_message, encrypt_message
from phxactor.token.external_term import Atom, Term, decode, encode
from phxactor.token.keys import KeyDigest, Secret, derive_key
from phxactor.token.signing import sign_message, verify_message

Verified: TypeAlias = Ok[Term] | Error
"""`Ok(data)`; or `Error("invalid")`, `Error("expired")`, or `Error("missing")` where there was no token."""

DAY: Final = 86400
"""Seconds that a token lives unless it is told otherwise."""
CLOCK_SKEW: Final = 5
"""Seconds that the clock of the machine that signed may be ahead of ours."""

_INFINITY: Final = Atom("infinity")


def sign(
    secret_key_base: Secret,
    salt: str | bytes,
    data: object,
    *,
    signed_at: float | None = None,
    max_age: float | None = DAY,
    key_iterations: int = 1000,
    key_length: int = 32,
    key_digest: KeyDigest = "sha256",
) -> str:
    """Make a signed token: its data can be read by whoever has it, and changed by nobody.

    Args:
        secret_key_base: a secret of at least 20 bytes, or an endpoint.
        salt: names what the token is for, e.g. "user socket"; one made for another purpose does not verify.
        data: any term, see `external_term`.
        signed_at: seconds since the epoch; now, unless given.
        max_age: seconds that it lives, unless `verify` is told otherwise; None or infinity for ever.
        key_iterations: rounds of the derivation of the key.
        key_length: bytes of the key.
        key_digest: hash that the key is derived with; the signature is HMAC-SHA256 in any case.

    Raises:
        TermError: the data has no external term.
        ValueError, TypeError: an option cannot be.

    """
    key = derive_key(secret_key_base, salt, iterations=key_iterations, length=key_length, digest=key_digest)
    return sign_message(_message(data, signed_at, max_age), key)


def verify(
    secret_key_base: Secret,
    salt: str | bytes,
    token: object,
    *,
    max_age: float | Unset | None = UNSET,
    now: float | None = None,
    key_iterations: int = 1000,
    key_length: int = 32,
    key_digest: KeyDigest = "sha256",
) -> Verified:
    """Return a signed token's data, if it was signed with this secret and salt and has not expired.

    A token that was signed more than 5 seconds (`CLOCK_SKEW`) in the future is invalid: it would outlive its max_age.

    `token` is what the client sent: None is "missing", what is no str "invalid". `max_age` is in seconds since it was
    signed: what it was signed with, unless given; None or infinity for ever. `now` is in seconds since the epoch: the
    clock's, unless given. The rest is what it was signed with. Raises ValueError or TypeError for what cannot be.
    """
    key = derive_key(secret_key_base, salt, iterations=key_iterations, length=key_length, digest=key_digest)
    message = verify_message(token, key) if isinstance(token, str) else None
    return Error("missing") if token is None else _read(message, max_age, now)


def encrypt(
    secret_key_base: Secret,
    salt: str | bytes,
    data: object,
    *,
    signed_at: float | None = None,
    max_age: float | None = DAY,
    key_iterations: int = 1000,
    key_length: int = 32,
    key_digest: KeyDigest = "sha256",
) -> str:
    """Make an encrypted token: its data can be neither read nor changed by whoever has it.

    Takes and raises what `sign` does; `key_length` must be 32, and ImportError says that PyNaCl is not installed.
    """
    key = derive_key(secret_key_base, salt, iterations=key_iterations, length=key_length, digest=key_digest)
    return encrypt_message(_message(data, signed_at, max_age), key)


def decrypt(
    secret_key_base: Secret,
    salt: str | bytes,
    token: object,
    *,
    max_age: float | Unset | None = UNSET,
    now: float | None = None,
    key_iterations: int = 1000,
    key_length: int = 32,
    key_digest: KeyDigest = "sha256",
) -> Verified:
    """Return an encrypted token's data, if it was encrypted with this secret and salt and has not expired.

    Takes, answers and raises what `verify` does; as for `encrypt`, `key_length` must be 32, and PyNaCl be installed.
    """
    key = derive_key(secret_key_base, salt, iterations=key_iterations, length=key_length, digest=key_digest)
    message = decrypt_message(token, key) if isinstance(token, str) else None
    return Error("missing") if token is None else _read(message, max_age, now)


def _message(data: object, signed_at: float | None, max_age: float | None) -> bytes:
    max_age = _checked(max_age)
    return encode((data, _milliseconds(signed_at), _INFINITY if max_age is None else max_age))


def _read(message: bytes | None, max_age: float | Unset | None, now: float | None) -> Verified:
    now_ms = _milliseconds(now)
    given_max_age = max_age if isinstance(max_age, Unset) else _checked(max_age)
    if message is None:
        return Error("invalid")
    try:
        data, signed_at, own_max_age = _parts(decode(message))
    except ValueError:  # its signer had the key, but this is another message, or holds a pid or the like
        return Error("invalid")
    if signed_at > now_ms + CLOCK_SKEW * 1000:
        return Error("invalid")
    if _expired(signed_at, own_max_age if isinstance(given_max_age, Unset) else given_max_age, now_ms):
        return Error("expired")
    return Ok(data)


def _parts(term: Term) -> tuple[Term, int, float | None]:
    """Take a message apart. Phoenix once wrote it without max_age, before that as a map, and reads both still."""
    if isinstance(term, dict):
        term = (term.get(Atom("data")), term.get(Atom("signed")))
    match term:
        case (data, int(signed_at)):
            return data, signed_at, DAY
        case (data, int(signed_at), Atom("infinity")):
            return data, signed_at, None
        case (data, int(signed_at), int() | float() as max_age):
            return data, signed_at, max_age
    raise ValueError("this is no message of a token")


def _expired(signed_at: int, max_age: float | None, now_ms: int) -> bool:
    if max_age is None:
        return False
    if max_age <= 0:
        return True
    max_age_ms = max_age * 1000
    return max_age_ms < math.inf and signed_at + int(max_age_ms) < now_ms


def _checked(max_age: float | None) -> float | None:
    if max_age is None or max_age == math.inf:
        return None
    if isinstance(max_age, bool) or not isinstance(max_age, int | float):
        raise TypeError(f"max_age is a number of seconds, or None, not {max_age!r}")
    if not max_age > -math.inf:  # nor NaN
        raise ValueError(f"max_age is a number of seconds, or None, not {max_age}")
    return max_age


def _milliseconds(seconds: float | None) -> int:
    if seconds is None:
        return time.time_ns() // 1_000_000
    if not math.isfinite(seconds):
        raise ValueError(f"a time is a number of seconds since the epoch, not {seconds}")
    return int(seconds * 1000)
