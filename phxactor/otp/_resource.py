"""Resource: holds an `async with` for as long as a part of the process tree lives, and shares its value.

A declaration, `POOL = Resource("pool", open_pool, DSN)`, is a name, a function that opens the context, and its
arguments. It is a child of a supervisor: `Application(children=[POOL], endpoints=[...])`. Any process of that runtime
finds what the context holds by `POOL.value`, and looks it up each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Generic, ParamSpec, TypeVar, cast

import attrs

from phxactor.otp._call import Name, Via
from phxactor.otp._child_spec import ChildSpec
from phxactor.otp._resource_process import ABSENT, ResourceProcess, ResourceServer, held_by
from phxactor.otp._results import Error, Ignore, Ok
from phxactor.otp._start import start
from phxactor.runtime import NoProcessError, Pid, check_name, current_runtime

P = ParamSpec("P")
T = TypeVar("T")


@attrs.frozen(init=False, repr=False, eq=False)
class Resource(Generic[T]):
    """The declaration of a resource: a name, and the function that opens it. It is frozen, like an `Endpoint`.

    `function(*args, **kwargs)` returns an asynchronous context manager. A process of its own enters it, and leaves it
    when the process ends: it is a child of a supervisor, which waits until the context has been entered.

    - It raises while it is entered: the resource does not start, with that exception as the reason.
    - The supervisor stops it: the context is left without an exception. It has the seconds of the child
      specification's `shutdown` for that, by default 5. Then it is killed, and each `await` in it raises.
    - A task of the context fails (in a nursery that it has opened): trio cancels the context, the process crashes with
      that exception, and its supervisor restarts it by its strategy.
    - It gets another exit signal, or a linked process ends abnormally: the context is left by `Exit(reason)`, and each
      `await` in it raises, so that it ends and restarts at once.
    - It raises while it is left: that is the reason of the process, a crash.

    Raises:
        TypeError: the name is neither a `str` nor a `Via`, or the function is none.
        ValueError: the name is empty or reserved.

    """

    name: Name
    """The registered name of its process."""
    _function: Callable[..., AbstractAsyncContextManager[T]]
    _args: tuple[object, ...]
    _kwargs: Mapping[str, object]

    def __init__(
        self,
        name: Name,
        function: Callable[P, AbstractAsyncContextManager[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        if not isinstance(name, Via):
            check_name(name)
        if isinstance(function, AbstractAsyncContextManager):
            raise TypeError(
                f"the resource {name!r} is given what {function!r:.200} has opened already: give the function and its "
                "arguments, so that a restart can open it again"
            )
        if not callable(function):
            raise TypeError(
                f"the resource {name!r} needs a function that returns an asynchronous context manager, such as one "
                f"with @asynccontextmanager, not {function!r:.200}"
            )
        self.__attrs_init__(name, function, args, kwargs)

    def __repr__(self) -> str:
        """Show the name only, since arguments may be secret."""
        return f"<Resource {self.name}>"

    def child_spec(self) -> ChildSpec:
        """Return the child specification. Children that use the resource come after it in the list.

        `phxactor.otp.child_spec(resource, shutdown=30)` gives it more seconds to close.
        """
        return ChildSpec(id=self.name, start=(self.start_link, (), {}))

    async def start_link(self) -> Ok[Pid] | Error | Ignore:
        """Start its process, linked to the caller, and wait until the context has been entered.

        Returns `Ok(pid)`, `Error(Crash(exception))` if that has raised, or `Error(("already_started", pid))` if the
        name is taken.
        """
        process = ResourceProcess(ResourceServer(self._function), self._args, dict(self._kwargs), self.name)
        return await start(process, link=True, timeout=None)

    @property
    def value(self) -> T:
        """What the context manager has returned on entry, in the caller's runtime. Do not keep it: look it up.

        After a restart there is a new one. A thread of `trio.to_thread` may read it too, if the name is a `str`.

        Raises:
            NoProcessError: the resource does not run, is being opened, or is being closed.
            NotAProcessError: the caller is no process, and not exactly one runtime is open.
            WrongThreadError: the caller is in a thread that no process has started.

        """
        return cast("T", value_of(self.name))


def value_of(name: Name) -> object:
    """Return the value of the resource with a name, for code that cannot import its declaration; raises as `value`."""
    pid = current_runtime(look_only=True).names.whereis(name) if isinstance(name, str) else name.whereis()
    if pid is None:
        raise NoProcessError(
            f"the resource {name!r} does not run: make it a child of a supervisor, ahead of the children that use it, "
            "and serve the application that has it, not only its endpoint"
        )
    value = held_by(pid)
    if value is ABSENT:
        raise NoProcessError(f"{pid!r} holds nothing: it is no resource, or is being opened or closed")
    return value
