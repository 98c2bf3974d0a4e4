"""Tokens: a server gives one to a client, and the client shows it again later. Compatible with Phoenix.Token.

The message of a token is the external term of `(data, signed_at, max_age)`: `signed_at` in milliseconds since the
epoch, `max_age` in seconds.
"""

from __future__ import annotations

import math
import time
from typing import Final, TypeAlias, TypedDict, Unpack

from phxactor.otp import UNSET, Error, Ok, Unset
from phxactor.token._encryption import decrypt_message, encrypt_message
from phxactor.token._keys import KeyDigest, Secret, derive_key
from phxactor.token._signing import sign_message, verify_message
from phxactor.token.external_term import Atom, Term, decode, encode

Verified: TypeAlias = Ok[Term] | Error
"""`Ok(data)`, `Error("invalid")`, `Error("expired")`, or `Error("missing")` when the token is None."""

DAY: Final = 86400
"""The default `max_age`, in seconds."""
CLOCK_SKEW: Final = 5
"""Seconds by which the clock of the signing machine may be ahead of the clock here."""

_INFINITY: Final = Atom("infinity")


class Derivation(TypedDict, total=False):
    """The options of the key derivation, PBKDF2 (RFC 8018), with the defaults of Phoenix.Token."""

    key_iterations: int
    """Rounds; by default 1000."""
    key_length: int
    """Bytes of the key; by default 32."""
    key_digest: KeyDigest
    """The hash of the derivation, by default `"sha256"`; the signature is always HMAC-SHA256."""


def sign(
    secret_key_base: Secret,
    salt: str | bytes,
    data: object,
    *,
    signed_at: float | None = None,
    max_age: float | None = DAY,
    **derivation: Unpack[Derivation],
) -> str:
    """Make a signed token. Anybody who has the token can read its data; nobody can change it.

    Args:
        secret_key_base: a secret of at least 20 bytes, or an endpoint.
        salt: the purpose of the token, e.g. "user socket"; `verify` refuses a token made with another salt.
        data: any term, see `external_term`.
        signed_at: seconds since the epoch; by default the current time.
        max_age: seconds until the token expires; `verify` may override it; None or infinity for never.
        derivation: the options of `Derivation`, such as `key_iterations=1000`.

    Raises:
        TermError: the data has no external term.
        ValueError, TypeError: an option is not valid.

    """
    return sign_message(_message(data, signed_at, max_age), _key(secret_key_base, salt, **derivation))


def verify(
    secret_key_base: Secret,
    salt: str | bytes,
    token: object,
    *,
    max_age: float | Unset | None = UNSET,
    now: float | None = None,
    **derivation: Unpack[Derivation],
) -> Verified:
    """Return the data of a signed token, if this secret and salt signed the token and the token has not expired.

    A token signed more than 5 seconds (`CLOCK_SKEW`) in the future is invalid, because it would outlive its max_age.

    Args:
        secret_key_base: as given to `sign`.
        salt: as given to `sign`.
        token: the value that the client sent: None gives "missing", any other value that is no str "invalid".
        max_age: seconds after signing at which the token expires; by default the token's own; None or infinity: never.
        now: seconds since the epoch; by default the current time.
        derivation: as given to `sign`.

    Raises:
        ValueError, TypeError: an option is not valid.

    """
    key = _key(secret_key_base, salt, **derivation)
    message = verify_message(token, key) if isinstance(token, str) else None
    return Error("missing") if token is None else _read(message, max_age, now)


def encrypt(
    secret_key_base: Secret,
    salt: str | bytes,
    data: object,
    *,
    signed_at: float | None = None,
    max_age: float | None = DAY,
    **derivation: Unpack[Derivation],
) -> str:
    """Make an encrypted token. Without the secret, its data can be neither read nor changed.

    The arguments and errors are those of `sign`. `key_length` must be 32. Raises ImportError if PyNaCl is missing.
    """
    return encrypt_message(_message(data, signed_at, max_age), _key(secret_key_base, salt, **derivation))


def decrypt(
    secret_key_base: Secret,
    salt: str | bytes,
    token: object,
    *,
    max_age: float | Unset | None = UNSET,
    now: float | None = None,
    **derivation: Unpack[Derivation],
) -> Verified:
    """Return the data of an encrypted token, if this secret and salt encrypted the token and it has not expired.

    Takes and answers what `verify` does. `key_length` must be 32. Raises ImportError if PyNaCl is missing.
    """
    key = _key(secret_key_base, salt, **derivation)
    message = decrypt_message(token, key) if isinstance(token, str) else None
    return Error("missing") if token is None else _read(message, max_age, now)


def _key(
    secret_key_base: Secret,
    salt: str | bytes,
    *,
    key_iterations: int = 1000,
    key_length: int = 32,
    key_digest: KeyDigest = "sha256",
) -> bytes:
    return derive_key(secret_key_base, salt, iterations=key_iterations, length=key_length, digest=key_digest)


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
    except ValueError:  # signed with this key, but no token, or a token with a term that is not supported
        return Error("invalid")
    if signed_at > now_ms + CLOCK_SKEW * 1000:
        return Error("invalid")
    if _expired(signed_at, own_max_age if isinstance(given_max_age, Unset) else given_max_age, now_ms):
        return Error("expired")
    return Ok(data)


def _parts(term: Term) -> tuple[Term, int, float | None]:
    """Split a message into its parts. Two older forms of Phoenix are accepted too: without max_age, and as a map."""
    if isinstance(term, dict):
        term = (term.get(Atom("data")), term.get(Atom("signed")))
    match term:
        case (data, int(signed_at)):
            return data, signed_at, DAY
        case (data, int(signed_at), Atom("infinity")):
            return data, signed_at, None
        case (data, int(signed_at), int() | float() as max_age):
            return data, signed_at, max_age
    raise ValueError("the term is not the message of a token")


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
        raise TypeError(f"max_age is a number of seconds, or None for no limit, not {max_age!r}")
    if not max_age > -math.inf:  # false for NaN
        raise ValueError(f"max_age is a number of seconds, or None for no limit, not {max_age}")
    return max_age


def _milliseconds(seconds: float | None) -> int:
    if seconds is None:
        return time.time_ns() // 1_000_000
    if not math.isfinite(seconds):
        raise ValueError(f"a time is a number of seconds since the epoch, not {seconds}")
    return int(seconds * 1000)
