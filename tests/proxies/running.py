"""nginx and HAProxy from Debian, on free ports and in a folder of the test's own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from tests.conftest import HAPROXY, NGINX
from tests.patience import PATIENCE
from tests.proxies.page import block, replaced

NGINX_SITE: Final = block("nginx", "proxy_pass http://shop;")
HAPROXY_HTTP: Final = block("cfg", "mode http")
HAPROXY_TCP: Final = block("cfg", "send-proxy-v2")

_NGINX_MAIN: Final = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""


@attrs.frozen
class Proxy:
    """A proxy that runs."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/socket/websocket?vsn=2.0.0") -> str:
        return f"ws://{self.host}{path}"


def free_port() -> int:
    """Return a port on which nothing listens just now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    assert isinstance(port, int)
    return port


@contextmanager
def nginx(folder: Path, app: int, *changes: tuple[str, str], site: str = NGINX_SITE) -> Iterator[Proxy]:
    """Run nginx with the page's server, in front of an endpoint on the port `app`."""
    assert NGINX is not None, "mark this test with pytest.mark.proxy"

    def command(port: int) -> list[str]:
        places = ("listen 80;", f"listen 127.0.0.1:{port};"), ("127.0.0.1:4000", f"127.0.0.1:{app}")
        text = replaced(site, *places, *changes)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(_NGINX_MAIN.format(user=user, folder=folder, site=text))
        return [NGINX, "-p", str(folder), "-e", str(folder / "log"), "-c", str(folder / "nginx.conf")]

    with _running(command, folder) as proxy:
        yield proxy


@contextmanager
def haproxy(folder: Path, app: int, *changes: tuple[str, str], site: str = HAPROXY_HTTP) -> Iterator[Proxy]:
    """Run HAProxy with a configuration of the page, in front of an endpoint on the port `app`."""
    assert HAPROXY is not None, "mark this test with pytest.mark.proxy"
    public = "bind :80" if "bind :80" in site else "bind :443"

    def command(port: int) -> list[str]:
        text = replaced(site, (public, f"bind 127.0.0.1:{port}"), ("127.0.0.1:4000", f"127.0.0.1:{app}"), *changes)
        (folder / "haproxy.cfg").write_text(text)
        return [HAPROXY, "-db", "-q", "-f", str(folder / "haproxy.cfg")]

    with _running(command, folder) as proxy:
        yield proxy


@contextmanager
def _running(command: object, folder: Path) -> Iterator[Proxy]:
    """Start a proxy; once more on another port if this one was taken meanwhile."""
    assert callable(command)
    for _ in range(5):
        port = free_port()
        with (folder / "output").open("w") as output:
            process = subprocess.Popen(command(port), stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            if _listens(process, port):
                yield Proxy(port, process)
                return
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
    raise AssertionError((folder / "output").read_text())


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until it accepts; return False if it has ended."""
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.01)
        else:
            return True
    return False
