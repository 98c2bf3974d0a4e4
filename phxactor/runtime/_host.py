"""The task that holds the nursery of all processes, and the end of the program if the nursery is lost.

No process can cancel that nursery or make it fail. A fault of trio or phxactor, or a call of trio's internals, could:
then no process can run any more, and the program must end instead of living on without processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import trio

from phxactor.runtime import _signals as signals
from phxactor.runtime._reasons import Crash
from phxactor.runtime.fork import runs_here

if TYPE_CHECKING:
    from phxactor.runtime._runtime import Runtime


class Host:
    """A shielded nursery in its own task, which a cancellation from outside does not reach (TM30)."""

    def __init__(self) -> None:
        self.nursery: trio.Nursery
        self.ended = trio.Event()
        """Set once no task of a process is left."""
        self.lost = False
        """Whether the nursery was cancelled or failed before `close`."""
        self.runtime: Runtime | None = None
        """The runtime whose processes run in the nursery."""
        self.stopping: trio.CancelScope | None = None
        """The scope around an orderly stop; cancelled when the nursery is lost."""
        self._error: BaseException | None = None
        self._closing = False
        self._opened = trio.Event()

    @classmethod
    async def open(cls, around: trio.Nursery) -> Self:
        """Start the host task in the nursery `around`."""
        host = cls()
        around.start_soon(host.run, name="phxactor runtime")
        with trio.CancelScope(shield=True):  # Nursery.start would wait for ever in a cancelled scope
            await host._opened.wait()
        return host

    async def run(self) -> None:
        """Hold the nursery until `close`: the body of the host task."""
        try:
            with runs_here(), trio.CancelScope(shield=True):
                async with trio.open_nursery() as self.nursery:
                    self._opened.set()
                    try:
                        await trio.sleep_forever()
                    finally:
                        if not self._closing:
                            self._lose()
        except BaseException as error:  # noqa: BLE001 - `failure` raises it, in `main`
            self._error = error
        finally:
            self.ended.set()

    def close(self) -> None:
        """End the host task, after all processes have ended."""
        self._closing = True
        self.nursery.cancel_scope.cancel()

    def failure(self, of_main: BaseException | None = None) -> RuntimeError:
        """Make the error that says why the program ends; `of_main` is what the block of `main` has raised."""
        failure = RuntimeError("the nursery of all processes was cancelled or has failed: no process can run any more")
        failure.__cause__ = self._error or of_main
        return failure

    def _lose(self) -> None:
        self.lost = True
        runtime = self.runtime
        if runtime is not None:
            signals.fatal(runtime.main, Crash(self.failure()))
            runtime.kill()
        if self.stopping is not None:
            self.stopping.cancel()
