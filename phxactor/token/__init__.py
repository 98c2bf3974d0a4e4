"""Signed and encrypted tokens. Phoenix.Token reads those made here, and this package reads those of Phoenix.Token."""

from phxactor.token._encryption import decrypt_message
from phxactor.token._keys import MIN_SECRET, KeyDigest, Secret, derive_key
from phxactor.token._signing import verify_message
from phxactor.token._token import DAY, Derivation, Verified, decrypt, encrypt, sign, verify

__all__ = [
    "DAY",
    "MIN_SECRET",
    "Derivation",
    "KeyDigest",
    "Secret",
    "Verified",
    "decrypt",
    "decrypt_message",
    "derive_key",
    "encrypt",
    "sign",
    "verify",
    "verify_message",
]
