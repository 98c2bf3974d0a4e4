from __future__ import annotations

import os
from pathlib import Path

import pytest

from phxactor.http import Response, Routes, static
from phxactor.http._static import MAX_FILE
from tests.http.requests import request


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "public"
    (root / "docs").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "index.html").write_text("<h1>home</h1>")
    (root / "docs" / "index.html").write_text("<h1>docs</h1>")
    (root / "app.mjs").write_text("export {}")
    (root / "grüße 1.txt").write_text("hallo")
    (root / ".env").write_text("secret")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("secret")
    (root / "leak.txt").symlink_to(tmp_path / "secret.txt")
    (root / "leak").symlink_to(tmp_path)
    (root / "alias.mjs").symlink_to("app.mjs")
    (root / "loop").symlink_to("loop")
    (root / "broken").symlink_to("nowhere")
    return root


async def fetch(folder: Path, target: str, method: str = "GET", at: str = "/assets", **headers: str) -> Response:
    return await Routes([static(at, folder)]).answer(request(target, method, **headers))


@pytest.mark.parametrize(
    ("target", "body", "kind"),
    [
        ("/assets/", b"<h1>home</h1>", b"text/html; charset=utf-8"),
        ("/assets/index.html", b"<h1>home</h1>", b"text/html; charset=utf-8"),
        ("/assets/docs/", b"<h1>docs</h1>", b"text/html; charset=utf-8"),
        ("/assets/app.mjs?v=1", b"export {}", b"text/javascript; charset=utf-8"),
        ("/assets/gr%C3%BC%C3%9Fe%201.txt", b"hallo", b"text/plain; charset=utf-8"),
        ("/assets/docs%2Findex.html", b"<h1>docs</h1>", b"text/html; charset=utf-8"),
        ("/assets/alias.mjs", b"export {}", b"text/javascript; charset=utf-8"),
    ],
)
async def test_files(folder: Path, target: str, body: bytes, kind: bytes) -> None:
    response = await fetch(folder, target)
    assert (response.status, response.body) == (200, body)
    assert dict(response.headers)[b"content-type"] == kind


@pytest.mark.parametrize(
    "target",
    [
        "/assets/nothing",
        "/assets/empty/",
        "/assets/app.mjs/",
        "/assets/app.mjs/x",
        "/assets//index.html",
        "/assets/docs//",
        "/assets/../secret.txt",
        "/assets/docs/../../secret.txt",
        "/assets/%2e%2e/secret.txt",
        "/assets/..%2fsecret.txt",
        "/assets/..%5csecret.txt",
        "/assets/%2e/index.html",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/index.html%00",
        "/assets/.env",
        "/assets/.git/config",
        "/assets/leak.txt",
        "/assets/leak/secret.txt",
        "/assets/leak/",
        "/assets/leak",
        "/assets/loop",
        "/assets/broken",
        "/assets/" + "x" * 300,
    ],
)
async def test_what_is_not_shown(folder: Path, target: str) -> None:
    response = await fetch(folder, target)
    assert response.status == 404
    assert b"secret" not in response.body


async def test_a_folder_ends_in_a_slash(folder: Path) -> None:
    for target, location in (
        ("/assets", b"/assets/"),
        ("/assets/docs?x=1", b"/assets/docs/?x=1"),
        ("/assets/d%6Fcs", b"/assets/d%6Fcs/"),
    ):
        response = await fetch(folder, target)
        assert response.status == 301
        assert dict(response.headers)[b"location"] == location


async def test_a_redirect_leads_to_nobody_else(folder: Path) -> None:
    assert (await fetch(folder, "//docs", at="/")).status == 404
    assert (await fetch(folder, "/%2Fdocs", at="/")).status == 404
    assert (await fetch(folder, "/docs", at="/")).status == 301


async def test_a_file_that_the_client_has(folder: Path) -> None:
    first = await fetch(folder, "/assets/app.mjs")
    etag = dict(first.headers)[b"etag"].decode()
    assert dict(first.headers)[b"cache-control"] == b"no-cache"
    for header in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await fetch(folder, "/assets/app.mjs", if_none_match=header)
        assert (again.status, again.body) == (304, b"")
        assert dict(again.headers)[b"etag"] == etag.encode()
    assert (await fetch(folder, "/assets/app.mjs", if_none_match='"other"')).status == 200
    (folder / "app.mjs").write_text("export default 1")
    assert (await fetch(folder, "/assets/app.mjs", if_none_match=etag)).body == b"export default 1"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.js", b"text/javascript; charset=utf-8"),
        ("a.css", b"text/css; charset=utf-8"),
        ("a.svg", b"image/svg+xml"),
        ("a.json", b"application/json"),
        ("a.wasm", b"application/wasm"),
        ("a.woff2", b"font/woff2"),
        ("a.PNG", b"image/png"),
        ("a.tar.gz", b"application/octet-stream"),
        ("a.html.gz", b"application/octet-stream"),
        ("a", b"application/octet-stream"),
        ("a.unheard-of", b"application/octet-stream"),
    ],
)
async def test_content_types(folder: Path, name: str, kind: bytes) -> None:
    (folder / name).write_bytes(b"x")
    headers = dict((await fetch(folder, f"/assets/{name}")).headers)
    assert headers[b"content-type"] == kind
    assert headers[b"x-content-type-options"] == b"nosniff"


async def test_large_files(folder: Path) -> None:
    with (folder / "large").open("wb") as file:
        file.truncate(MAX_FILE)
    assert len((await fetch(folder, "/assets/large")).body) == MAX_FILE
    with (folder / "large").open("ab") as file:
        file.write(b"x")
    assert (await fetch(folder, "/assets/large")).status == 500


async def test_only_files_are_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert (await fetch(folder, "/assets/pipe")).status == 404


async def test_only_get_and_head(folder: Path) -> None:
    assert (await fetch(folder, "/assets/app.mjs", "HEAD")).status == 200
    assert (await fetch(folder, "/assets/app.mjs", "POST")).status == 405


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="missing"):
        static("/", tmp_path / "missing")
