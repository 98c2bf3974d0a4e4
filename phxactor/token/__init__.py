"""Signed and encrypted tokens. Phoenix.Token reads those made here, and this package reads those of Phoenix.Token."""

from phxactor.token.token import decrypt, encrypt, sign, verify

__all__ = ["decrypt", "encrypt", "sign", "verify"]
