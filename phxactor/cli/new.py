"""`phxactor new NAME`: a small project, from the files in `template`."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import phxactor
from phxactor.cli.output import say

STATIC: Final = Path(phxactor.__file__).parent / "demos" / "chat" / "static"
"""The files of the demo `chat`, found without an import of what serves them."""
TEMPLATE: Final = Path(__file__).parent / "template"
SUFFIX: Final = ".txt"
"""Each file of the template ends so, since it is no code before its names are filled in."""
PACKAGE: Final = "package"
"""The folder of the template that gets the name of the project."""
DOTTED: Final = ("dockerignore", "gitignore")
"""Files that begin with a dot in the project, but not in the template."""
SHIPPED: Final = ("phoenix.mjs", "phoenix.LICENSE.md")
"""Files of phoenix.js, which the page needs."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")
_LAYOUT: Final = ("tests", "static")


def new(name: str) -> None:
    """Make a small project in a new folder: an application, a channel, a page, tests, a Dockerfile.

    Args:
        name: the name of the project, its folder and its package: lower-case letters, digits and underscores.
    """
    _check_text(name)
    folder = Path.cwd() / name
    if folder.exists():
        raise SystemExit(_exists(folder))
    _check_module(name)
    try:
        folder.mkdir()
    except FileExistsError:
        raise SystemExit(_exists(folder)) from None
    except OSError as error:
        raise SystemExit(f"{folder} cannot be made: {error.strerror}") from None
    for path, content in _files(name):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    say(f"made {folder}")
    say(f"next:  cd {name}")
    say('       pip install -e ".[testing]"')
    say("       pytest")
    say(f"       phxactor serve {name}.app:application")


def _exists(folder: Path) -> str:
    return f"{folder} exists already, and stays as it is; give another name"


def _check_text(name: str) -> None:
    """Raise SystemExit if a package cannot have this name."""
    if not _NAME.fullmatch(name):
        near = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        hint = f", such as {near!r}" if _NAME.fullmatch(near) else ""
        raise SystemExit(
            f"a name has up to 50 lower-case letters, digits and underscores, a letter first{hint}; "
            f"{name!r:.100} is none"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise SystemExit(f"{name!r} is a word of Python; give another name")


def _check_module(name: str) -> None:
    """Raise SystemExit if a module that can be imported has this name already."""
    if name in sys.stdlib_module_names or name in _LAYOUT or find_spec(name) is not None:
        raise SystemExit(f"there is a module {name!r} already, which the project would hide; give another name")


def _files(name: str) -> Iterator[tuple[Path, bytes]]:
    """Yield the files of a project: their paths below its folder, and what is in them."""
    for file in sorted(TEMPLATE.rglob(f"*{SUFFIX}")):
        parts = [name if part == PACKAGE else part for part in file.relative_to(TEMPLATE).parts]
        last = parts.pop().removesuffix(SUFFIX)
        text = file.read_text("utf-8").replace("@name@", name).replace("@version@", phxactor.__version__)
        yield Path(*parts, f".{last}" if last in DOTTED else last), text.encode()
    for shipped in SHIPPED:
        yield Path(name, "static", shipped), (STATIC / shipped).read_bytes()
