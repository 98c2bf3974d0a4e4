"""`--tls`: a server's SSL context from a certificate and its key."""

from __future__ import annotations

import ssl
from pathlib import Path


class _PasswordNeededError(Exception):
    """The key is encrypted; OpenSSL would ask at the terminal."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the context of a server with this certificate chain and private key, both PEM.

    Raises SystemExit, which says which file is wrong, if there is none, or they do not belong together.
    """
    for what, file in (("certificate", certificate), ("key", key)):
        try:
            with file.open("rb"):
                pass
        except OSError as error:
            raise SystemExit(f"the {what} {file} cannot be read: {error.strerror}") from None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password=_refuse)
    except _PasswordNeededError:
        raise SystemExit(
            f"the key {key} is encrypted: decrypt it (openssl pkey -in ... -out ...), or give an SSL context to "
            "Endpoint(tls=...)"
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SystemExit(f"the key {key} is not that of the certificate {certificate}") from None
        raise SystemExit(
            f"the certificate {certificate} and the key {key} are no certificate and private key in PEM: "
            f"{error.reason or error}"
        ) from None
    return context


def _refuse() -> str:
    raise _PasswordNeededError
