"""The page and its files: built by `make`, read once, served with a policy that allows no script but theirs."""

from __future__ import annotations

import hashlib
from functools import cache
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Final

from phxactor.http import Request, Response

STATIC: Final = Path(__file__).parent / "static"
"""The folder of the built page."""
PAGE: Final = "index.html"

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy: scripts and styles from this server only, and none of them inline."""

_GUARDED: Final = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
]
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}
_NOT_BUILT: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>phxactor observer</title></head>
<body><p>The page is not built: run <code>make</code>, or install the wheel.</p></body></html>
"""
_NOT_FOUND: Final = Response.text("not found\n", status=HTTPStatus.NOT_FOUND)


@cache
def files() -> dict[str, bytes]:
    """Return the files of the page by name."""
    if not STATIC.is_dir():
        return {}
    return {one.name: one.read_bytes() for one in sorted(STATIC.iterdir()) if one.is_file() and one.name[0] != "."}


@cache
def version() -> str:
    """Return a text that changes with the files."""
    digest = hashlib.sha256()
    for name, data in files().items():
        digest.update(name.encode() + b"\0" + data)
    return digest.hexdigest()[:16]


def page(path: str) -> Response:
    """Return the page, for an observer that is mounted at `path`."""
    html = files().get(PAGE, _NOT_BUILT.encode()).decode()
    html = html.replace("{{assets}}", escape(f"{path}/assets/{version()}"))
    headers = [("content-type", "text/html; charset=utf-8"), ("cache-control", "no-cache"), *_GUARDED]
    return Response(HTTPStatus.OK, html.encode(), headers)


async def asset(request: Request) -> Response:
    """Answer a request for a file of the page; its path holds the version, so browsers may keep it for ever."""
    name = request.path_params["name"]
    data = files().get(name)
    if data is None or name == PAGE:
        return _NOT_FOUND
    lasting = "public, max-age=31536000, immutable" if request.path_params["version"] == version() else "no-store"
    kind = _TYPES.get(Path(name).suffix, "application/octet-stream")
    return Response(HTTPStatus.OK, data, [("content-type", kind), ("cache-control", lasting), *_GUARDED])
