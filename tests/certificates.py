"""A certificate for app.test, and who trusts it; made anew in each process."""

from __future__ import annotations

import ssl
from typing import Final

import trustme

AUTHORITY: Final = trustme.CA()
CERTIFICATE: Final = AUTHORITY.issue_cert("app.test")

SERVER: Final = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
CERTIFICATE.configure_cert(SERVER)
CLIENT: Final = ssl.create_default_context()
AUTHORITY.configure_trust(CLIENT)
