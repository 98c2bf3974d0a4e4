"""`--env-file`: settings for a program, one `NAME=value` in a line, as Docker, systemd and most shells read them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

VARIABLE: Final = "PHXACTOR_ENV_FILE"
OPTION: Final = "--env-file"

MAX_FILE: Final = 1024 * 1024
"""Most bytes of a file."""

_SET: Final[set[str]] = set()

_LINE: Final = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)")
_DOUBLE: Final = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"\s*(?:#.*)?')
_SINGLE: Final = re.compile(r"'(?P<text>[^']*)'\s*(?:#.*)?")
_COMMENT: Final = re.compile(r"\s#.*")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}


def load_named(arguments: Sequence[str]) -> None:
    """Load the file that the arguments of the program or the environment name, before the options are read.

    So `PHXACTOR_*` variables in the file are options too. Raises SystemExit as `load` does.
    """
    named = os.environ.get(VARIABLE)
    for position, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == OPTION and position + 1 < len(arguments):
            named = arguments[position + 1]
        elif argument.startswith(f"{OPTION}="):
            named = argument.partition("=")[2]
    if named:
        load(Path(named))


def load(file: Path) -> None:
    r"""Set the environment variables of a file, except those that are set already.

    A line is `NAME=value`, also behind `export`. A value may be in quotes: single ones take it as it is, in double ones
    `\n`, `\t`, `\"` and `\\` are escapes. Without quotes it ends before ` #`. Nothing is expanded.

    Raises SystemExit, with the number of the line and never with a value, if the file cannot be read.
    """
    for name, value in _read(file):
        if name not in os.environ:
            os.environ[name] = value
            _SET.add(name)


def set_by_file() -> frozenset[str]:
    """Return the variables that `load` has set: workers read the file again, which may have changed."""
    return frozenset(_SET)


def _read(file: Path) -> Iterator[tuple[str, str]]:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise SystemExit(f"the env file {file} has more than {MAX_FILE} bytes")
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise SystemExit(f"the env file {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SystemExit(f"the env file {file} is not UTF-8") from None
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _LINE.fullmatch(stripped)
        value = None if found is None else _value(found["value"])
        if found is None or value is None or "\0" in value:
            raise SystemExit(f"line {number} of the env file {file} is not NAME=value")
        yield found["name"], value


def _value(text: str) -> str | None:
    """Return a value without its quotes and escapes; None if its quotes do not end, or more text follows them."""
    if text.startswith("'"):
        found = _SINGLE.fullmatch(text)
        return None if found is None else found["text"]
    if text.startswith('"'):
        found = _DOUBLE.fullmatch(text)
        return None if found is None else re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), found["text"])
    if text.startswith("#"):
        return ""
    return _COMMENT.sub("", text)
