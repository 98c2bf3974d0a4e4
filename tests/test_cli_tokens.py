"""`phxactor token`: it reads what Phoenix has made, makes what Phoenix would, and keeps secrets."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from phxactor import Ok, cli
from phxactor.cli import tokens
from phxactor.cli.secret import find_secret
from phxactor.token import _encryption as encryption
from phxactor.token import decrypt, encrypt, sign, verify
from phxactor.token.external_term import Atom
from tests.demos.program import command, environment, run
from tests.patience import PATIENCE
from tests.token.test_vectors import ENCRYPTED, SIGNED
from tests.token.test_vectors import SECRET as RECORDED_SECRET

SECRET = "a secret of more than twenty bytes"
MAKERS = {"sign": ("verify", sign, verify), "encrypt": ("decrypt", encrypt, decrypt)}


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY_BASE", SECRET)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that works; returns the line that it prints."""
    cli.app(["token", *arguments], result_action="return_value")
    out, err = capsys.readouterr()
    assert err == ""
    assert out.endswith("\n")
    return out[:-1]


def refused(*arguments: str) -> str:
    """Run a command that does not; returns its words."""
    with pytest.raises(SystemExit) as end:
        cli.app(["token", *arguments], result_action="return_value")
    assert isinstance(end.value.code, str)
    return end.value.code


DATA = [42, -5, 1.5, "users:7", {"id": 42, "tags": ["a", None, True]}, [], "grüße", 2**70]


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("data", DATA, ids=repr)
def test_what_is_made_is_read_again(maker: str, data: object, capsys: pytest.CaptureFixture[str]) -> None:
    reader, _, read = MAKERS[maker]
    token = said(capsys, maker, "user socket", json.dumps(data))
    assert read(SECRET, "user socket", token) == Ok(data)
    assert json.loads(said(capsys, reader, "user socket", token)) == data


@pytest.mark.parametrize("one", [*SIGNED, *ENCRYPTED], ids=lambda one: repr(one["data"])[:20])
def test_what_phoenix_has_made_is_shown(
    one: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOENIX", RECORDED_SECRET)
    reader = "verify" if one["kind"] == "sign" else "decrypt"
    keys = [f"--{name.replace('_', '-')}={value}" for name, value in one.items() if name.startswith("key_")]
    options = ["--secret-env", "PHOENIX", "--max-age", "inf", *keys]
    assert json.loads(said(capsys, reader, one["salt"], one["token"], *options)) == one["data"]


def test_it_is_made_as_phoenix_would(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole number of seconds is one in the token too."""
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_000_000_000)
    for max_age, option in ((86400, []), (60, ["--max-age", "60"]), (None, ["--max-age", "inf"])):
        made = sign(SECRET, "s", {"id": 1}, max_age=max_age, key_digest="sha512", key_iterations=7)
        keys = ["--key-digest", "sha512", "--key-iterations", "7"]
        assert said(capsys, "sign", "s", '{"id": 1}', *option, *keys) == made


def test_lines_of_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"id": 42}\n'))
    token = said(capsys, "sign", "s")
    for line in (token, f" {token}\r\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(line))
        assert said(capsys, "verify", "s") == '{"id": 42}'


def test_terms_that_json_has_not(capsys: pytest.CaptureFixture[str]) -> None:
    """As Elixir's JSON libraries write them, or as Python has them."""
    data = {Atom("id"): (1, Atom("admin")), 2: None}
    token = sign(SECRET, "s", data)
    assert said(capsys, "verify", "s", token) == '{"2": null, "id": [1, "admin"]}'
    assert said(capsys, "verify", "s", token, "--term") == "{2: None, Atom(name='id'): (1, Atom(name='admin'))}"


@pytest.mark.parametrize(
    ("data", "why"), [(b"\xff", "a binary in it is not UTF-8"), ({(1,): 2}, "a key in it is no text")]
)
def test_terms_that_json_cannot_hold(data: object, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    token = sign(SECRET, "s", data)
    assert refused("verify", "s", token) == f"the token is good, but its data is no JSON: {why}; --term shows it"
    assert said(capsys, "verify", "s", token, "--term") == repr(data)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_token_that_is_no_good(maker: str) -> None:
    reader, make, _ = MAKERS[maker]
    token = make(SECRET, "s", 1, signed_at=1)
    assert refused(reader, "s", token) == tokens.WHY["expired"]
    assert refused(reader, "s", make(SECRET, "s", 1), "--max-age", "0") == tokens.WHY["expired"]
    for salt, wrong in (("another", token), ("s", token[:-1]), ("s", ""), ("s", "nonsense")):
        assert refused(reader, salt, wrong) == tokens.WHY["invalid"]


@pytest.mark.parametrize("data", ["users:7", "", "{", "'1'", "[" * 100_000])
def test_data_that_is_no_json(data: str) -> None:
    words = refused("sign", "s", data)
    assert words.startswith("the data is JSON, such as 42, '\"a text\"' or '{\"id\": 42}', not ")
    assert len(words) < 300


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["NaN"], "Erlang has no float nan"),
        (["1", "--max-age", "nan"], "max_age is a number of seconds"),
        (["1", "--key-iterations", "0"], "key_iterations is at least 1"),
        (["1", "--key-length", "0"], "key_length is 1 to 1024 bytes"),
        (["[" * 200 + "]" * 200], "100"),
    ],
)
def test_what_cannot_be_is_explained(arguments: list[str], words: str) -> None:
    assert words in refused("sign", "s", *arguments)


def test_without_pynacl_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption, "_INSTALLED", False)
    assert "pip install" in refused("encrypt", "s", "1")


# ----------------------------------------------------------------------------------------------------- the secret


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_from_a_file_goes_before_the_environment(
    end: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f"another {SECRET}{end}".encode())
    token = said(capsys, "sign", "s", "1", "--secret-file", str(file))
    assert verify(f"another {SECRET}", "s", token) == Ok(1)


def test_a_secret_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "short").write_text("short")
    (tmp_path / "wrong").write_bytes(b"\xff" * 30)
    monkeypatch.setenv("SHORT", "hush")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for options, words in (
        (["--secret-file", str(tmp_path / "none")], f"the secret in {tmp_path}/none cannot be read: No such file"),
        (["--secret-file", str(tmp_path / "wrong")], f"the secret in {tmp_path}/wrong cannot be read: it is not UTF-8"),
        (["--secret-file", str(tmp_path / "short")], f"a secret has at least 20 bytes; {tmp_path}/short has fewer"),
        (["--secret-env", "SHORT"], "a secret has at least 20 bytes; the environment's SHORT has fewer"),
        (["--secret-env", "NONE"], "there is no secret: set NONE, or name a file by --secret-file"),
    ):
        said_so = refused("sign", "s", "1", *options)
        assert said_so.startswith(words)
        assert "hush" not in said_so


def test_no_option_takes_the_secret_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is an argument is seen by everybody in the list of processes."""
    for name in ("sign", "verify", "encrypt", "decrypt"):
        cli.app(["token", name, "--help"], result_action="return_value")
        options = {word for word in capsys.readouterr().out.split() if word.startswith("--secret")}
        assert options == {"--secret-file", "--secret-env"}


def test_at_a_terminal_it_is_asked_for_and_not_shown() -> None:
    ours, theirs = pty.openpty()
    variables = {name: value for name, value in environment().items() if name != "SECRET_KEY_BASE"}
    process = subprocess.Popen(
        command("token", "sign", "s", "1"),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env=variables,
        start_new_session=True,  # without a terminal of its own, so that it asks at this one
    )
    os.close(theirs)
    shown = b""
    while b"secret_key_base: " not in shown:
        shown += os.read(ours, 1000)
    os.write(ours, SECRET.encode() + b"\n")
    token, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert verify(SECRET, "s", token.strip()) == Ok(1)
    os.set_blocking(ours, False)
    with suppress(OSError):  # nothing more, or the other side is gone
        shown += os.read(ours, 1000)
    os.close(ours)
    assert SECRET.encode() not in shown


def test_as_a_program(tmp_path: Path) -> None:
    code, token, err = run("token", "sign", "s", '"users:7"')
    assert (code, err) == (0, "")
    assert run("token", "verify", "s", token.strip()) == (0, '"users:7"\n', "")
    assert run("token", "verify", "another", token.strip()) == (1, "", f"{tokens.WHY['invalid']}\n")


def test_the_secret_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(" spaces around it are of it, \n")
    assert find_secret(file, "NONE") == " spaces around it are of it, "


class Terminal(io.StringIO):
    """Somebody types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("given", [EOFError, KeyboardInterrupt])
def test_no_secret_is_typed(given: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    def getpass(_: str) -> str:
        raise given

    monkeypatch.delenv("SECRET_KEY_BASE")
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("phxactor.cli.secret.getpass", getpass)
    assert refused("sign", "s", "1") == "there is no secret"


def test_a_token_may_be_typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{sign(SECRET, 's', 1)}\n"))
    cli.app(["token", "verify", "s"], result_action="return_value")
    out, err = capsys.readouterr()
    assert (out, err) == ("1\n", "token: ")
