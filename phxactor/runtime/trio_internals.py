"""What phxactor uses of trio that is private, and the check that it is there.

A file that needs private names asks for them here when it is imported: `private("_run", "Task._runner")`. A trio that
keeps them in another way is refused then, in one line, before anything runs. `KNOWN` names the versions with which all
tests have passed. `pyproject.toml` allows these and no others, and changes together with it.

    runtime: generators, left_open, process     the stack of cancel scopes and nurseries of a task
    runtime: tls_streams                        the handshake of a TLS stream
    testing: schedule_steps                     the order in which tasks run
    testing: origins                            the files of trio's scheduler, in a stack of frames
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import trio

KNOWN: Final = ("0.35",)
"""Versions of trio that all tests have passed with."""
_NOTHING: Final = object()


def private(module: str, *names: str, package: str = "trio._core") -> Any:  # noqa: ANN401 - what is private has no types
    """Return a module of trio that has all these names, such as `Task` and, within it, `Task._runner`.

    Raises ImportError, in one line, for a trio that lacks any of them.
    """
    try:
        found: Any = importlib.import_module(f"{package}.{module}")
    except ImportError:
        raise unknown(f"it has no {package}.{module}") from None
    missing = [name for name in names if _find(found, name) is _NOTHING]
    if missing:
        raise unknown(f"{package}.{module} has no {', '.join(missing)}")
    return found


def unknown(why: str) -> ImportError:
    """Make the error that refuses a version of trio."""
    return ImportError(
        f"phxactor does not fit trio {trio.__version__}: {why}. It is known to fit trio {', '.join(KNOWN)}"
    )


def _find(found: object, name: str) -> object:
    for part in name.split("."):
        found = getattr(found, part, _NOTHING)
    return found
