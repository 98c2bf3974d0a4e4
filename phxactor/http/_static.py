"""Static files: a folder served below a path.

A file is read whole, in a thread, each time somebody needs it: folders change while one works on them, and a client
that has a file already is only told so (304).
"""

from __future__ import annotations

import stat
from http import HTTPStatus
from mimetypes import MimeTypes
from os import PathLike
from pathlib import Path
from typing import Final

import trio

from phxactor.http._request import Request
from phxactor.http._response import Response
from phxactor.http._routes import Route, get

MAX_FILE: Final = 8 * 1024 * 1024
"""Bytes of a file; a larger one is not served but answered with 500."""
INDEX: Final = "index.html"
"""What a folder is shown as."""

# One of our own, so that a type does not depend on what the machine has installed.
_TYPES: Final = MimeTypes()
for _suffix, _type in {
    ".js": "text/javascript",  # RFC 9239; Python 3.11 says application/javascript
    ".mjs": "text/javascript",
    ".map": "application/json",
    ".webp": "image/webp",
    ".webmanifest": "application/manifest+json",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}.items():
    _TYPES.add_type(_type, _suffix)

_NOT_FOUND: Final = Response.text("not found\n", status=HTTPStatus.NOT_FOUND)


def static(path: str, directory: str | PathLike[str]) -> Route:
    """Serve the files of a folder below `path`, as they are at each request, to anybody.

    A folder shows its `index.html`. Files and folders that begin with a dot are hidden, and so is whatever a symbolic
    link shows of the world outside `directory`. Browsers ask each time whether a file has changed (`no-cache`).

    Args:
        path: such as `/assets`, or `/` for all that no other route has.
        directory: an existing folder; `importlib.resources.files("package") / "static"` is one, unless zipped.

    Raises:
        NotADirectoryError: there is no such folder.
        ValueError: `path` does not begin with a slash.

    """
    root = Path(directory).resolve()
    if not root.is_dir():
        raise NotADirectoryError(f"there is no folder {str(directory)!r} to serve at {path}")

    async def serve(request: Request) -> Response:
        return await trio.to_thread.run_sync(_answer, root, request)

    return get(f"{path.rstrip('/')}/{{*path}}", serve)


def _answer(root: Path, request: Request) -> Response:
    below = request.path_params["path"]
    try:
        path = _resolve(root, below)
        if path.is_dir():
            if not request.raw_path.endswith("/"):  # or the page's relative links would miss the folder
                location = request.raw_path + "/" + ("?" + request.query if request.query else "")
                return Response.text("moved\n", status=HTTPStatus.MOVED_PERMANENTLY, headers=[("location", location)])
            path = _resolve(root, f"{below}{INDEX}")
        elif below.endswith("/"):
            return _NOT_FOUND
        return _file(path, request)
    except (OSError, RuntimeError):  # Python 3.11 raises RuntimeError for a loop of links
        return _NOT_FOUND


def _resolve(root: Path, below: str) -> Path:
    """Find what exists below the root; raises FileNotFoundError when there is nothing, or nothing that may be seen."""
    segments = below.removesuffix("/").split("/") if below else []
    if any(not one or one.startswith(".") or "\0" in one for one in segments):
        raise FileNotFoundError(below)
    path = root.joinpath(*segments).resolve(strict=True)
    if not path.is_relative_to(root):
        raise FileNotFoundError(below)
    return path


def _file(path: Path, request: Request) -> Response:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        return _NOT_FOUND
    if found.st_size > MAX_FILE:
        why = f"{path.name} is larger than {MAX_FILE} bytes\n"
        return Response.text(why, status=HTTPStatus.INTERNAL_SERVER_ERROR)
    etag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    headers = [("etag", etag), ("cache-control", "no-cache")]
    if _has(etag, request.header("if-none-match")):
        return Response(HTTPStatus.NOT_MODIFIED, headers=headers)
    headers += [("content-type", _content_type(path.name)), ("x-content-type-options", "nosniff")]
    return Response(HTTPStatus.OK, path.read_bytes(), headers)


def _has(etag: str, if_none_match: str | None) -> bool:
    """Compare weakly (RFC 9110 section 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or tags == ["*"]


def _content_type(name: str) -> str:
    kind, encoding = _TYPES.guess_type(name)
    if kind is None or encoding is not None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
