"""What `phxactor serve` serves: `module:name`, the name of an `Application` or an `Endpoint` in a module."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from phxactor import Application, Endpoint


def find_application(target: str) -> Application:
    """Import the application `module:name`, also from the working directory; an endpoint is made one.

    Raises SystemExit, with what is right, if the target is none.
    """
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise SystemExit(f"give module:name, such as chat:endpoint for the one in chat.py, not {target!r}")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise SystemExit(f"there is no module {error.name!r} in {Path.cwd()} or on Python's path") from None
    found = getattr(module, name, None)
    if isinstance(found, Endpoint):
        return Application(endpoints=[found])
    if not isinstance(found, Application):
        what = "is missing" if found is None else f"has the type {type(found).__name__}"
        raise SystemExit(f"{name!r} of {module_name} {what}; it should be an Application or an Endpoint")
    return found
