"""Static files: a folder served below a path.

The server reads a file whole, in a thread, at each request, since folders change during development. A client that has
the current version already gets a 304 without the file.
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
"""Most bytes of a file; a request for a larger one is answered 500."""
INDEX: Final = "index.html"
"""The file that answers a request for a folder."""

# A private table, so that a file's type does not depend on the tables that the machine has installed.
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
    """Return a route that serves the files of a folder below `path` to any client, as they are at each request.

    A request for a folder gets its `index.html`. Names that begin with a dot are hidden, and so are symbolic links to
    files outside `directory`. Browsers ask at each request whether a file has changed (`no-cache`).

    Args:
        path: the path of the folder, such as `/assets`; `/` serves all paths that no other route has.
        directory: an existing folder; for a package's files, `importlib.resources.files("package") / "static"`, unless
            the package is zipped.

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
            if not request.raw_path.endswith("/"):  # else relative links in the page resolve outside the folder
                location = request.raw_path + "/" + ("?" + request.query if request.query else "")
                return Response.text("moved\n", status=HTTPStatus.MOVED_PERMANENTLY, headers=[("location", location)])
            path = _resolve(root, f"{below}{INDEX}")
        elif below.endswith("/"):
            return _NOT_FOUND
        return _file(path, request)
    except (OSError, RuntimeError):  # Python 3.11 raises RuntimeError for a loop of links
        return _NOT_FOUND


def _resolve(root: Path, below: str) -> Path:
    """Return an existing path below the root. Raises FileNotFoundError if there is none, or if it is hidden."""
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
    """Say whether If-None-Match names the tag, by weak comparison (RFC 9110 section 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or tags == ["*"]


def _content_type(name: str) -> str:
    kind, encoding = _TYPES.guess_type(name)
    if kind is None or encoding is not None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
