"""Token: signed and encrypted tokens that Phoenix.Token reads, and the other way round."""

from phxactor.token.token import decrypt, encrypt, sign, verify

__all__ = ["decrypt", "encrypt", "sign", "verify"]
