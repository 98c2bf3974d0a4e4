"""Trio's private names that phxactor uses, and the check that they exist.

A module that needs private names asks for them here when it is imported: `private("_run", "Task._runner")`. A version
of trio without those names is refused then, in one line, before anything runs. `KNOWN` lists the versions with which
all tests have passed. `pyproject.toml` allows exactly these versions, and must change together with `KNOWN`.

    runtime: generators, left_open, process     the stack of cancel scopes and nurseries of a task
    runtime: tls_streams                        the handshake of a TLS stream
    runtime: runtime                            whether another loop hosts the trio run
    testing: exploration                        the order in which tasks run
    testing: origins                            the files of trio's scheduler, in a stack of frames
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import trio

KNOWN: Final = ("0.35",)
"""Versions of trio with which all tests have passed."""
_NOTHING: Final = object()


def private(module: str, *names: str, package: str = "trio._core") -> Any:  # noqa: ANN401 - private names have no types
    """Return a module of trio, after checking that it has all of `names`, such as `Task._runner`.

    Raises ImportError, in one line, if this version of trio lacks any of them.
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
    """Make the error for a version of trio that phxactor cannot use; `why` names what is missing."""
    return ImportError(
        f"phxactor does not fit trio {trio.__version__}: {why}. It is known to fit trio {', '.join(KNOWN)}"
    )


def _find(found: object, name: str) -> object:
    for part in name.split("."):
        found = getattr(found, part, _NOTHING)
    return found
