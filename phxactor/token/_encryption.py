"""Encrypted messages, as Plug.Crypto.MessageEncryptor writes them since version 2: XChaCha20-Poly1305.

A message is "XCP." and, in base64url, the nonce (24 bytes), the tag (16 bytes) and the ciphertext. Messages of
version 1 (AES in GCM; they begin with "QTEyOEdDTQ.") are not supported. PyNaCl does the encryption; the extra
`encryption` installs it.
"""

from __future__ import annotations

import os
from typing import Final

from phxactor.token._base64url import decode_base64url, encode_base64url

try:
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as _open
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as _seal
    from nacl.exceptions import CryptoError
except ImportError:
    _INSTALLED = False
else:
    _INSTALLED = True

_PREFIX: Final = "XCP."
_ADDITIONAL_DATA: Final = b"A128GCM"  # authenticated with the message, as in Plug
_NONCE: Final = 24  # bytes
_TAG: Final = 16  # bytes
_KEY: Final = 32  # bytes


def encrypt_message(message: bytes, key: bytes) -> str:
    """Encrypt and authenticate a message.

    Raises ImportError when PyNaCl is not installed, and ValueError for a key whose length is not 32 bytes.
    """
    _check(key)
    nonce = os.urandom(_NONCE)
    sealed = _seal(message, _ADDITIONAL_DATA, nonce, key)
    return _PREFIX + encode_base64url(nonce + sealed[-_TAG:] + sealed[:-_TAG])


def decrypt_message(text: str, key: bytes) -> bytes | None:
    """Return the message if it was encrypted with this key, else None. Raises the same errors as `encrypt_message`."""
    _check(key)
    if not text.startswith(_PREFIX):
        return None
    data = decode_base64url(text.removeprefix(_PREFIX))
    if data is None or len(data) < _NONCE + _TAG:
        return None
    nonce, tag, ciphertext = data[:_NONCE], data[_NONCE : _NONCE + _TAG], data[_NONCE + _TAG :]
    try:
        return _open(ciphertext + tag, _ADDITIONAL_DATA, nonce, key)
    except CryptoError:
        return None


def _check(key: bytes) -> None:
    if not _INSTALLED:
        raise ImportError("encrypted tokens need PyNaCl: pip install 'phxactor[encryption]'", name="nacl")
    if len(key) != _KEY:
        raise ValueError(f"encryption takes a key_length of {_KEY}, not {len(key)}")
