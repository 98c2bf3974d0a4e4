"""The environment of a WSGI request (PEP 3333), made from an ASGI scope."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any, Final
from wsgiref.util import FileWrapper

if TYPE_CHECKING:
    from phxactor.gateway._types import Scope

_NOT_PASSED: Final = frozenset({b"content-length", b"content-type", b"transfer-encoding", b"proxy"})
"""Headers without an `HTTP_` variable: some have a variable of their own, and `HTTP_PROXY` would be taken for a setting
of the machine's proxy (CVE-2016-5385)."""


def environ(scope: Scope, body: IO[bytes], size: int) -> dict[str, Any]:
    """Return the environment of a request; `body` holds its body of `size` bytes."""
    root, path = scope["root_path"], scope["path"]
    host, port = scope["server"] or ("localhost", 80)
    peer, peer_port = scope["client"]
    variables: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": _text(root),
        "PATH_INFO": _text(path[len(root) :]),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": peer,
        "REMOTE_PORT": str(peer_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    if scope["scheme"] == "https":
        variables["HTTPS"] = "on"
    headers = dict(scope["headers"])
    if size or b"content-length" in headers:
        variables["CONTENT_LENGTH"] = str(size)
    if b"content-type" in headers:
        variables["CONTENT_TYPE"] = headers[b"content-type"].decode("latin-1")
    for name, value in scope["headers"]:
        if name not in _NOT_PASSED and b"_" not in name:  # X_Real_IP would be taken for X-Real-IP
            key, text = "HTTP_" + name.decode("latin-1").upper().replace("-", "_"), value.decode("latin-1")
            if key in variables:
                text = f"{variables[key]}{'; ' if name == b'cookie' else ', '}{text}"
            variables[key] = text
    return variables


def _text(text: str) -> str:
    """Return a text as PEP 3333 wants it: its UTF-8, read as latin-1."""
    return text.encode().decode("latin-1")
