"""The URL of a Redis server: where it is, and by which user and password it lets us in."""

from __future__ import annotations

from typing import Final, Self
from urllib.parse import unquote, urlsplit

import attrs

PORT: Final = 6379
"""The port of a URL that names none."""
_FORMS: Final = "redis://HOST, rediss://HOST or unix:///PATH"


@attrs.frozen
class Address:
    """The parts of a Redis URL. User and password are in no `repr`, and so in no log."""

    host: str
    """A name or an IP address; empty for a Unix socket."""
    port: int
    path: str
    """The path of the Unix socket; empty for TCP."""
    secure: bool
    """Whether to speak TLS."""
    user: str = attrs.field(repr=False)
    """The user of Redis; `default` where the URL names none."""
    password: str | None = attrs.field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Split a URL into its parts.

        `redis://[[USER]:PASSWORD@]HOST[:PORT]`, `rediss://` for TLS, and `unix://[[USER]:PASSWORD@]/PATH`. User and
        password are percent-encoded.

        Raises:
            ValueError: it is no such URL. The text of the error holds no user and no password.

        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # its text holds the part that is wrong, which a password with a "/" or "#" can be
            raise ValueError(
                f"the URL of Redis has no valid host and port; {_FORMS} with an optional :PORT, "
                "and special characters of a password percent-encoded"
            ) from None
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise ValueError(f"the URL of Redis is {_FORMS}, not {parts.scheme!r:.20}")
        if parts.query or parts.fragment:
            raise ValueError("the URL of Redis has no query and no fragment: options are arguments of Redis(...)")
        user = unquote(parts.username or "") or "default"
        password = None if parts.password is None else unquote(parts.password)
        if parts.username and password is None:
            raise ValueError("the URL of Redis has a user and no password; without a user it is redis://:PASSWORD@HOST")
        path = unquote(parts.path)
        if parts.scheme == "unix":
            if parts.hostname or port is not None or not path.strip("/"):
                raise ValueError("the URL of a Unix socket is unix:///PATH, with three slashes")
            return cls("", 0, path, secure=False, user=user, password=password)
        if not parts.hostname:
            raise ValueError(f"there is no host in the URL of Redis: {_FORMS}")
        try:
            parts.hostname.encode("idna")
        except UnicodeError:
            raise ValueError(f"the host in the URL of Redis is no name: {parts.hostname!r:.100}") from None
        if path not in ("", "/", "/0"):
            raise ValueError(
                "the URL of Redis names a database, and Redis's databases do not separate what is published: "
                "leave it out, and give each program a prefix of its own"
            )
        return cls(
            parts.hostname,
            PORT if port is None else port,
            "",
            secure=parts.scheme == "rediss",
            user=user,
            password=password,
        )

    def __str__(self) -> str:
        """Return the URL without user and password."""
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.secure else 'redis'}://{host}:{self.port}"
