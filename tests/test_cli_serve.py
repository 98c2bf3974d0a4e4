"""`phxactor serve`: its options, by the command line, environment variables and an env file."""

from __future__ import annotations

import inspect
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import trio

from phxactor import Application, cli
from phxactor.cli import env_file
from phxactor.cli.certificate import server_context
from phxactor.cli.serve import serve
from tests.certificates import AUTHORITY, CERTIFICATE, CLIENT
from tests.demos.program import ROOT, run, serving
from tests.patience import PATIENCE

APP = """
import os
from phxactor import Endpoint, Response, get

async def setting(request):
    return Response.text(f"{request.scheme} {os.environ.get('SETTING')}")

def make():
    return Endpoint(routes=[get("/", setting)], port=1)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "web.py").write_text(APP)
    (tmp_path / "web.env").write_text('# settings\nSETTING="from the file"\nPHXACTOR_FACTORY=1\nPHXACTOR_HOST=::1\n')
    return tmp_path


@pytest.fixture
def pem(tmp_path: Path) -> tuple[Path, Path]:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in CERTIFICATE.cert_chain_pems))
    key.write_bytes(CERTIFICATE.private_key_pem.bytes())
    return certificate, key


@pytest.fixture
def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Take the place of `phxactor.run`, and keep what it was given."""
    given: list[dict[str, Any]] = []

    def keep(application: Application, **options: Any) -> None:  # noqa: ANN401
        assert isinstance(application, Application)
        given.append({name: value for name, value in options.items() if value is not None})

    before = dict(os.environ)
    for name in [name for name in before if name.startswith("PHXACTOR_") or name == "PORT"]:
        del os.environ[name]
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "web", raising=False)  # another test's, of its own folder
    monkeypatch.setattr("phxactor.run", keep)
    monkeypatch.setattr("phxactor.cli.serve.log_to_stderr", lambda level, *_: given.append({"level": level}))
    yield given
    os.environ.clear()
    os.environ.update(before)


def started(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """Run the program in this process; return its exit code, or the words that it ends with."""
    monkeypatch.setattr("sys.argv", ["phxactor", *arguments])
    try:
        cli.main()
    except SystemExit as end:
        return end.code
    return 0


# ---------------------------------------------------------------------------------------------------- options

DEFAULTS = {"stuck_after": 1.0, "collector": "processes"}


@pytest.mark.parametrize(
    ("arguments", "variables", "options"),
    [
        (["web:make", "--factory"], {}, DEFAULTS),
        (["web:make", "--factory", "--port", "5"], {}, {**DEFAULTS, "port": 5}),
        (["web:make", "--factory"], {"PORT": "8080"}, {**DEFAULTS, "port": 8080}),
        (["web:make", "--factory"], {"PORT": ""}, DEFAULTS),
        (["web:make", "--factory"], {"PORT": "8080", "PHXACTOR_PORT": "9"}, {**DEFAULTS, "port": 9}),
        (["web:make", "--factory", "--port", "5"], {"PORT": "8", "PHXACTOR_PORT": "9"}, {**DEFAULTS, "port": 5}),
        (["web:make", "--factory", "--unix", "a.sock"], {"PORT": "8"}, {**DEFAULTS, "path": Path("a.sock")}),
        (
            [],
            {
                "PHXACTOR_TARGET": "web:make",
                "PHXACTOR_FACTORY": "true",
                "PHXACTOR_UNIX": "b.sock",
                "PHXACTOR_STUCK_AFTER": "3",
                "PHXACTOR_COLLECTOR": "python",
            },
            {"path": Path("b.sock"), "stuck_after": 3.0, "collector": "python"},
        ),
        (["web:make", "--env-file", "web.env"], {}, {**DEFAULTS, "host": "::1"}),
        (["web:make", "--env-file=web.env"], {"PHXACTOR_HOST": "a"}, {**DEFAULTS, "host": "a"}),
        (["web:make", "--host", "b"], {"PHXACTOR_ENV_FILE": "web.env"}, {**DEFAULTS, "host": "b"}),
    ],
)
def test_options(
    arguments: list[str],
    variables: dict[str, str],
    options: dict[str, object],
    served: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    os.environ.update(variables)
    assert started(monkeypatch, "serve", *arguments) == 0
    assert served == [{"level": "info"}, options]


def test_tls_and_the_level_of_the_log(
    pem: tuple[Path, Path], served: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert started(monkeypatch, "serve", "web:make", "--factory", "--tls", *map(str, pem)) == 0
    os.environ |= {"PHXACTOR_TLS": f"{pem[0]}:{pem[1]}", "PHXACTOR_LOG_LEVEL": "error"}
    assert started(monkeypatch, "serve", "web:make", "--factory") == 0
    assert [one["level"] for one in served[::2]] == ["info", "error"]
    assert all(isinstance(one["tls"], ssl.SSLContext) for one in served[1::2])


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["--port", "70000"], {}, "70000"),
        (["--port", "many"], {}, "many"),
        ([], {"PHXACTOR_PORT": "x"}, "PHXACTOR_PORT"),
        ([], {"PORT": "70000"}, "the environment variable PORT must be a port, 0 to 65535; it is '70000'"),
        ([], {"PORT": "http"}, "the environment variable PORT must be a port, 0 to 65535; it is 'http'"),
        (["--unix", "a.sock", "--port", "5"], {}, "path"),
        (["--tls", "no.pem", "key.pem"], {}, "the certificate no.pem cannot be read: No such file or directory"),
        (["--env-file", "no.env"], {}, "the env file no.env cannot be read: No such file or directory"),
        (["--prot", "5"], {}, "--port"),
    ],
)
def test_options_that_are_wrong(
    arguments: list[str],
    variables: dict[str, str],
    words: str,
    served: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    os.environ.update(variables)
    with redirect_stdout(StringIO()) as printed, redirect_stderr(printed):
        code = started(monkeypatch, "serve", "web:make", "--factory", *arguments)
    assert words in f"{code} {printed.getvalue()}"
    assert code != 0
    assert not served


def test_help_names_the_variable_of_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.app(["serve", "--help"])
    shown = "".join(capsys.readouterr().out.replace("│", " ").split())
    for name in inspect.signature(serve).parameters:
        assert f"[envvar:PHXACTOR_{name.upper()}]" in shown
    assert "environmentvariablePORT" in shown


def test_the_page_names_every_option() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    for name in inspect.signature(serve).parameters:
        option = name.upper() if name == "target" else f"--{name.replace('_', '-')}"
        assert re.search(rf"^\| `{option}\b[^|]*\| `PHXACTOR_{name.upper()}\b", page, re.MULTILINE), name


# --------------------------------------------------------------------------------------------------- env files


def loaded(text: str | bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    file = folder / "a.env"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    monkeypatch.setattr("os.environ", {"SET": "already"})
    env_file.load(file)
    return {name: value for name, value in os.environ.items() if name != "SET"}


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}),
        ("\ufeffA=1\r\n\r\n  B = 2 \n# C=3\n", {"A": "1", "B": "2"}),
        ("export A=1\nA=2", {"A": "1"}),
        ("A=\nB=#x\nC= # x", {"A": "", "B": "", "C": ""}),
        ("A=b c # no\nB=a#b\nC=a=b==", {"A": "b c", "B": "a#b", "C": "a=b=="}),
        (r'A="a # \"b\"\n\\$x" # c', {"A": 'a # "b"\n\\$x'}),
        (r"A='a\n\"#'", {"A": r"a\n\"#"}),
        ("A=$HOME ${B}", {"A": "$HOME ${B}"}),
        ("SET=anew", {}),
    ],
)
def test_env_files(text: str, variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(text, tmp_path, monkeypatch) == variables


@pytest.mark.parametrize("line", ["secret", "=secret", "A B=secret", '"A"=secret', "A='secret", 'A="secret" x', "A=\0"])
def test_a_line_that_is_wrong_is_told_by_its_number(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as error:
        loaded(f"A=1\n\n{line}\n", tmp_path, monkeypatch)
    assert str(error.value) == f"line 3 of the env file {tmp_path / 'a.env'} is not NAME=value"


@pytest.mark.parametrize(("data", "words"), [(b"A=\xff", "is not UTF-8"), (b"#" * 1048577, "more than 1048576 bytes")])
def test_files_that_are_none(data: bytes, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=words):
        loaded(data, tmp_path, monkeypatch)
    with pytest.raises(SystemExit, match="cannot be read"):
        env_file.load(tmp_path)


# ------------------------------------------------------------------------------------------------ certificates


def test_certificates_that_are_none(pem: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = pem
    other = tmp_path / "other.pem"
    other.write_bytes(AUTHORITY.issue_cert("other.test").private_key_pem.bytes())
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    locked = tmp_path / "locked.pem"
    make = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:word", "-out", str(locked)]
    subprocess.run(make, check=True, capture_output=True)
    server_context(certificate, key)
    for one, two, words in [
        (certificate, other, f"the key {other} is not that of the certificate {certificate}"),
        (text, key, f"the certificate {text} and the key {key} are no certificate and private key in PEM"),
        (certificate, text, "are no certificate and private key in PEM"),
        (key, certificate, "are no certificate and private key in PEM"),
        (certificate, locked, f"the key {locked} is encrypted"),
        (certificate, tmp_path / "no.pem", f"the key {tmp_path / 'no.pem'} cannot be read: No such file"),
        (tmp_path, key, f"the certificate {tmp_path} cannot be read: Is a directory"),
    ]:
        with pytest.raises(SystemExit) as error:
            server_context(one, two)
        assert words in str(error.value)


# ---------------------------------------------------------------------------------------------------- programs


async def answer_of(stream: trio.abc.Stream) -> str:
    data = b""
    async with stream:
        with trio.fail_after(PATIENCE):
            await stream.send_all(b"GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n")
            while some := await stream.receive_some():
                data += some
    return data.rpartition(b"\r\n\r\n")[2].decode()


@pytest.mark.socket
def test_serve_with_tls_and_an_env_file(folder: Path, pem: tuple[Path, Path]) -> None:
    arguments = ["serve", "web:make", "--env-file", "web.env", "--host", "127.0.0.1", "--port", "0"]
    with serving(*arguments, "--tls", *map(str, pem), "--access-log", cwd=folder) as program:
        assert program.url.startswith("https://")

        async def ask() -> str:
            transport = await trio.open_tcp_stream("127.0.0.1", int(program.port))
            return await answer_of(trio.SSLStream(transport, CLIENT, server_hostname="app.test", https_compatible=True))

        assert trio.run(ask) == "https from the file"
        _, printed = program.stop()
        assert re.search(r'INFO    127\.0\.0\.1:\d+ "GET /" 200 19 bytes 0\.\d{3} s\n', printed)


@pytest.mark.socket
def test_serve_on_a_unix_socket(folder: Path) -> None:
    path = folder / "web.sock"
    with serving("serve", "web:make", "--factory", "--unix", str(path), cwd=folder):

        async def ask() -> str:
            return await answer_of(await trio.open_unix_socket(path))

        assert trio.run(ask) == "http None"
    assert not path.exists()


@pytest.mark.socket
def test_a_port_in_use(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, _, errors = run("serve", "web:make", "--factory", "--port", str(port), cwd=folder)
    assert code == 1
    assert len(errors.splitlines()) == 1
    assert f"127.0.0.1:{port}" in errors
