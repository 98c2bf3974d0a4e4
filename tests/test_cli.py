"""The command line: what it does, and how it says what is wrong."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from urllib.request import urlopen

import pytest

from phxactor import cli
from phxactor.cli.target import find_application
from phxactor.demos import DEMOS
from phxactor.observer import Unreachable, locate, read
from phxactor.terminal._once import fetch
from tests.demos.program import command, environment, run, serving
from tests.patience import PATIENCE

APP = """
from phxactor import Agent, Application, Channel, Endpoint, Socket, channel, mount
from phxactor.observer import observer_routes

class Room(Channel):
    pass

class UserSocket(Socket):
    channels = [channel("room:*", Room)]

endpoint = Endpoint(sockets=[mount("/socket", UserSocket)], routes=observer_routes())
application = Application(children=[Agent.child_spec(dict, name="store")], endpoints=[endpoint])
two = Application(endpoints=[endpoint, Endpoint(name="admin")])
number = 5

class Web:
    async def __call__(self, scope, receive, send):
        pass

web = Web()

class Namespace:
    application = Application(endpoints=[endpoint])

def make():
    return endpoint

def make_number():
    return number

def make_of(name):
    return endpoint

async def make_later():
    return endpoint
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_app.py").write_text(APP)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "app.py").write_text("")
    (tmp_path / "broken.py").write_text("")
    return tmp_path


# ------------------------------------------------------------------------------------------------- in general


def printed_by(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    """Run a command in this process; returns the exit code, or the words that it ends with, and what it printed."""
    code: object = 0
    try:
        cli.app(arguments)
    except SystemExit as end:
        code = end.code
    printed = capsys.readouterr()
    return code or 0, printed.out, printed.err


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = printed_by(capsys, "--help")
    assert code == 0
    assert all(name in out for name in ("demo", "serve", "token", "top"))


def test_version() -> None:
    assert run("--version") == (0, f"{version('phxactor')}\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dmeo"], 'Did you mean "demo"'),
        (["demo", "--prot", "1"], "Did you mean --port"),
        (["demo", "--port", "many"], 'unable to convert "many" into int'),
        (["demo", "--port", "70000"], "--port"),
        (["serve"], "requires an argument"),
        (["serve", "a:b", "--log-level", "loud"], "loud"),
    ],
)
def test_a_typo_is_explained(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = printed_by(capsys, *arguments)
    assert (code != 0, out) == (True, "")
    assert words in " ".join(err.replace("│", " ").split())


# ------------------------------------------------------------------------------------------------------- demo


def test_the_demos_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = printed_by(capsys, "demo", "--list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(DEMOS)


def test_an_unknown_demo() -> None:
    code, out, err = run("demo", "caht")
    assert (code, out) == (1, "")
    assert err.startswith("there is no demo 'caht'; there are:\n  chat ")


def test_a_demo_that_does_not_serve_takes_no_port(capsys: pytest.CaptureFixture[str]) -> None:
    words = "the demo 'pool' serves nothing: leave --host and --port out, or add --page"
    assert printed_by(capsys, "demo", "pool", "--port", "1") == (words, "", "")


@pytest.mark.socket
def test_the_chat_stops_in_order() -> None:
    with serving("demo", "--port", "0") as program:
        page = urlopen(f"{program.url}/", timeout=PATIENCE).read().decode()  # noqa: S310 - our own server
        assert "<title>phxactor" in page
        code, printed = program.stop()
    assert code == 0
    assert printed.endswith("stopped\n")
    assert "ERROR" not in printed


@pytest.mark.socket
def test_a_port_in_use() -> None:
    with serving("demo", "--port", "0") as program:
        code, out, err = run("demo", "--port", program.port)
    assert (code, out, err) == (1, "", f"the address {program.url} is in use\n")


@pytest.mark.slow
def test_a_story_ends_by_ctrl_c_too() -> None:
    process = subprocess.Popen(command("demo", "pool"), stdout=subprocess.PIPE, text=True, env=environment())
    assert process.stdout is not None
    with process.stdout as stdout:
        assert "worker 1" in stdout.readline()
        process.send_signal(signal.SIGINT)
        assert stdout.read().splitlines()[-1] == "stopped"
    assert process.wait(PATIENCE) == 0


# ------------------------------------------------------------------------------------------------------ serve


@pytest.mark.socket
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serve(how: signal.Signals, folder: Path) -> None:
    with serving("serve", "my_app:endpoint", "--port", "0", cwd=folder) as program:
        answer = urlopen(f"{program.url}/observer.json", timeout=PATIENCE).read()  # noqa: S310 - our own server
        assert "UserSocket channels" in {row.id for row in read(answer).rows}
        code, printed = program.stop(how)
    assert code == 0
    assert printed.endswith("stopped\n")
    assert "ERROR" not in printed


@pytest.mark.socket
@pytest.mark.parametrize("options", [[], ["--workers", "1"]], ids=["one process", "a parent"])
def test_a_full_disk_does_not_make_an_orderly_end_a_failure(options: list[str], folder: Path) -> None:
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen(
            command("serve", "my_app:endpoint", "--port", "0", *options),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment(),
        ) as process,
    ):
        assert process.stderr is not None
        try:
            printed = next(line for line in process.stderr if "listening on" in line)
            process.terminate()
            printed += process.stderr.read()
            assert process.wait(PATIENCE) == 0, printed
        finally:
            process.kill()
    assert "Traceback" not in printed


@pytest.mark.socket
def test_serve_an_application(folder: Path) -> None:
    with serving("serve", "my_app:application", "--port", "0", cwd=folder) as program:
        answer = urlopen(f"{program.url}/observer.json", timeout=PATIENCE).read()  # noqa: S310 - our own server
        assert {"Agent", "UserSocket channels"} <= {row.id for row in read(answer).rows}
        code, printed = program.stop(signal.SIGTERM)
    assert (code, "ERROR" in printed) == (0, False)


def test_an_application_of_several_endpoints_takes_no_port(folder: Path) -> None:
    code, out, err = run("serve", "my_app:two", "--port", "0", cwd=folder)
    assert (code, out) == (1, "")
    assert err.startswith("the application has 2 endpoints, so host, port, path")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("my_app", "give module:name, such as chat:endpoint for the one in chat.py, not 'my_app'"),
        (":endpoint", "give module:name, such as chat:endpoint for the one in chat.py, not ':endpoint'"),
        ("my_app:", "give module:name, such as chat:endpoint for the one in chat.py, not 'my_app:'"),
        ("my_ap:endpoint", "there is no module 'my_ap' in {folder} or on Python's path; did you mean 'my_app'?"),
        (
            "web.appp:endpoint",
            "there is no module 'web.appp' in {folder} or on Python's path; did you mean 'web.app'?",
        ),
        ("other:endpoint", "there is no module 'other' in {folder} or on Python's path"),
        ("my_app.py:endpoint", "give the module, not its file: my_app:endpoint, not 'my_app.py:endpoint'"),
        (
            "./web/my_app.py:endpoint",
            "give the module, not its file: web.my_app:endpoint, not './web/my_app.py:endpoint'",
        ),
        ("my_app.deeper:endpoint", "there is no module 'my_app.deeper' in {folder} or on Python's path"),
        ("my_app:endpiont", "my_app has no 'endpiont'; did you mean 'endpoint'?"),
        ("my_app:app", "my_app has no 'app'; it has 'endpoint', 'application', 'two'"),
        ("broken:app", "broken has no 'app'"),
        ("my_app:endpoint.x", "my_app has no 'endpoint.x'; did you mean 'endpoint'?"),
        ("my_app:number", "'number' of my_app has the type int; it should be an Application or an Endpoint"),
        (
            "my_app:make",
            (
                "'make' of my_app has the type function; it should be an Application or an Endpoint; "
                "if it returns one, give --factory"
            ),
        ),
        (
            "my_app:web",
            (
                "'web' of my_app has the type Web; it should be an Application or an Endpoint; "
                "a web application goes under one: Endpoint(routes=[asgi('/', app)]), or wsgi (docs/asgi.md)"
            ),
        ),
    ],
)
def test_a_target_that_is_none(target: str, words: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(SystemExit) as error:
        find_application(target)
    assert str(error.value) == words.format(folder=folder)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            "my_app:number",
            "--factory wants a function that returns an Application or an Endpoint; my_app:number is none",
        ),
        (
            "my_app:endpoint",
            "--factory wants a function that returns an Application or an Endpoint; my_app:endpoint is none",
        ),
        (
            "my_app:make_number",
            "what my_app:make_number returns has the type int; it should be an Application or an Endpoint",
        ),
        ("my_app:make_of", "--factory calls my_app:make_of without arguments, and it wants some"),
        (
            "my_app:make_later",
            (
                "the factory my_app:make_later is async; it should be a plain function, "
                "and what has to wait is a child's work"
            ),
        ),
    ],
)
def test_a_factory_that_is_none(target: str, words: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(SystemExit) as error:
        find_application(target, factory=True)
    assert str(error.value) == words


@pytest.mark.parametrize(
    ("target", "factory"), [("my_app:endpoint", False), ("my_app:Namespace.application", False), ("my_app:make", True)]
)
def test_what_is_served(target: str, factory: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    assert [one.name for one in find_application(target, factory=factory).endpoints] == ["endpoint"]


# -------------------------------------------------------------------------------------------------------- top


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("4000", "http://127.0.0.1:4000/observer"),
        ("example.org:8080", "http://example.org:8080/observer"),
        ("http://example.org/", "http://example.org/observer"),
        ("https://example.org/admin/tree", "https://example.org/admin/tree"),
    ],
)
def test_top_finds_the_picture(target: str, url: str) -> None:
    assert locate(target).geturl() == url


@pytest.mark.parametrize("target", ["", "0", "70000", "ftp://example.org", "http://", "http://x:y"])
def test_top_needs_an_address(target: str) -> None:
    with pytest.raises(Unreachable, match="is neither a port nor a URL"):
        locate(target)


@pytest.mark.socket
def test_top_once(folder: Path) -> None:
    with serving("serve", "my_app:endpoint", "--port", "0", cwd=folder) as program:
        code, out, err = run("top", program.port)
    assert (code, err) == (0, "")
    summary, blank, *lines = out.splitlines()
    assert re.fullmatch(rf"processes: \d+  messages that wait: \d+  at {program.url}/observer", summary)
    assert blank == ""
    assert lines[0].split() == ["PROCESS", "PID", "STATE", "MAILBOX", "RESTARTS"]
    assert any("UserSocket channels" in line for line in lines)
    assert max(map(len, lines)) <= 100


@pytest.mark.socket
def test_top_by_a_name_that_the_observer_was_not_told(folder: Path) -> None:
    with serving("serve", "my_app:endpoint", "--port", "0", cwd=folder) as program:
        assert run("top", f"localhost:{program.port}")[0] == 0
        url = f"http://[::ffff:127.0.0.1]:{program.port}"
        code, out, err = run("top", url)
    assert (code, out) == (1, "")
    told = "observer_routes(hosts=['::ffff:127.0.0.1'])"
    assert err == f"the observer at {url}/observer does not answer to this host (403): mount {told} there\n"


@pytest.mark.socket
def test_top_of_nobody(folder: Path) -> None:
    with serving("serve", "my_app:endpoint", "--port", "0", cwd=folder) as program:
        code, out, err = run("top", f"{program.url}/elsewhere")
        assert (code, out) == (1, "")
        assert err == f"no observer at {program.url}/elsewhere (404): mount observer_routes() there\n"
        program.stop()
    code, out, err = run("top", program.port)
    assert (code, out) == (1, "")
    assert err == f"no answer from {program.url}/observer (Connection refused); is the program running?\n"


@pytest.mark.socket
@pytest.mark.slow
def test_top_goes_on_until_q(folder: Path) -> None:
    """In a terminal: it leaves the screen as it was, and a program that ends does not end it."""
    with serving("serve", "my_app:endpoint", "--port", "0", cwd=folder) as program:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        terminal = {**environment(), "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
        top = subprocess.Popen(command("top", program.port), stdin=theirs, stdout=theirs, stderr=theirs, env=terminal)
        os.close(theirs)
        read_until(ours, "\x1b[?1049h", "endpoint")
        program.stop()
        read_until(ours, "no connection")
        os.write(ours, b"q")
        read_until(ours, "\x1b[?1049l")
        assert top.wait(PATIENCE) == 0
        os.close(ours)


def read_until(terminal: int, *texts: str) -> str:
    """Read from a terminal until all these texts have come, one after the other; fail after `PATIENCE` seconds."""
    seen, position, deadline = b"", 0, monotonic() + PATIENCE
    for text in texts:
        while (found := seen.find(text.encode(), position)) < 0:
            ready, _, _ = select.select([terminal], [], [], max(0, deadline - monotonic()))
            assert ready, f"{text!r} did not come within {PATIENCE} s, but {seen!r}"
            try:
                seen += os.read(terminal, 65536)  # which may end within a character
            except OSError:
                raise AssertionError(f"it has ended without {text!r}: {seen!r}") from None
        position = found + len(text.encode())
    return seen.decode(errors="ignore")


@pytest.mark.socket
@pytest.mark.parametrize("body", [b"hello", b"[]", b"\xff"])
def test_top_of_something_else(body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + body)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Unreachable, match=r"^http://127\.0\.0\.1:\d+/observer did not answer as an observer does"):
            fetch(locate(str(server.getsockname()[1])))
        thread.join()
