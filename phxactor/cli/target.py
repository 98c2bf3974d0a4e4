"""What `phxactor serve` serves: `module:name`, the name of an `Application` or an `Endpoint` in a module."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from phxactor import Application, Endpoint
from phxactor.cli.program_error import program_error


def find_application(target: str, *, factory: bool = False) -> Application:
    """Import the application `module:name`, also from the working directory; an endpoint is made one.

    With `factory`, the name is that of a function without arguments, which returns it.

    Raises SystemExit, with what is right, if the target is none, and with the traceback of what its code has raised.
    """
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise SystemExit(f"give module:name, such as chat:endpoint for the one in chat.py, not {target!r}")
    if "/" in module_name or module_name.endswith(".py"):
        dotted = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise SystemExit(f"give the module, not its file: {dotted}:{name}, not {target!r}")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise program_error(error, f"the import of {module_name!r} failed") from None
        near = _near(error.name, _modules_beside(error.name))
        raise SystemExit(f"there is no module {error.name!r} in {Path.cwd()} or on Python's path{near}") from None
    except Exception as error:  # noqa: BLE001 - whatever the program raises
        raise program_error(error, f"the import of {module_name!r} failed") from None
    found = _attribute(module, name)
    if factory:
        found = _made(found, target)
    if isinstance(found, Endpoint):
        return Application(endpoints=[found])
    if not isinstance(found, Application):
        what = f"what {target} returns" if factory else f"{name!r} of {module_name}"
        hint = ""
        if inspect.isroutine(found):
            hint = "" if factory else "; if it returns one, give --factory"
        elif callable(found) and not inspect.isclass(found):
            hint = "; a web application goes under one: Endpoint(routes=[asgi('/', app)]), or wsgi (docs/asgi.md)"
        raise SystemExit(
            f"{what} has the type {type(found).__name__}; it should be an Application or an Endpoint{hint}"
        )
    return found


def _attribute(module: ModuleType, name: str) -> object:
    """Return the attribute of a module; `name` may have dots. Raises SystemExit if there is none."""
    found: object = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            served = [one for one, value in vars(module).items() if isinstance(value, Application | Endpoint)]
            near = _near(name, served) or (f"; it has {', '.join(map(repr, served))}" if served else "")
            raise SystemExit(f"{module.__name__} has no {name!r}{near}") from None
    return found


def _made(factory: object, target: str) -> object:
    if not callable(factory) or isinstance(factory, Application | Endpoint):
        raise SystemExit(f"--factory wants a function that returns an Application or an Endpoint; {target} is none")
    try:
        inspect.signature(factory).bind()
    except (TypeError, ValueError):
        raise SystemExit(f"--factory calls {target} without arguments, and it wants some") from None
    try:
        made: object = factory()
    except Exception as error:  # noqa: BLE001 - whatever the program raises
        raise program_error(error, f"the factory {target} failed") from None
    if inspect.iscoroutine(made):
        made.close()
        raise SystemExit(
            f"the factory {target} is async; it should be a plain function, and what has to wait is a child's work"
        )
    return made


def _near(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _modules_beside(name: str) -> list[str]:
    """Return the names of the modules in the folder in which a module of this name would be."""
    package, dot, _ = name.rpartition(".")
    folder = Path.cwd().joinpath(*package.split("."))
    if not folder.is_dir():
        return []
    found = [file.stem for file in folder.iterdir() if file.suffix == ".py" or (file / "__init__.py").exists()]
    return [f"{package}{dot}{one}" for one in found]
