"""Reads a secret from a file, the environment or the terminal; not from arguments, which `ps` shows to all users."""

from __future__ import annotations

import os
import sys
from getpass import getpass
from pathlib import Path

from phxactor.token import MIN_SECRET


def find_secret(file: Path | None, variable: str) -> str:
    """Read the secret from `file` (without its last line break), else from the environment `variable`, else ask for it.

    Raises SystemExit if there is none, if the file cannot be read, or if the secret is too short.
    """
    if file is not None:
        secret, where = _read(file), str(file)
    elif os.environ.get(variable):
        secret, where = os.environ[variable], f"the environment's {variable}"
    elif sys.stdin.isatty():
        secret, where = _ask(), "what you typed"
    else:
        raise SystemExit(f"there is no secret: set {variable}, or name a file by --secret-file")
    if len(secret.encode(errors="surrogateescape")) < MIN_SECRET:
        raise SystemExit(f"a secret has at least {MIN_SECRET} bytes; {where} has fewer")
    return secret


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SystemExit(f"the secret in {file} cannot be read: {why}") from None


def _ask() -> str:
    try:
        return getpass("secret_key_base: ")
    except (EOFError, KeyboardInterrupt):
        raise SystemExit("there is no secret") from None
