"""A rule-based state machine of Hypothesis whose rules run in a process: `async def`, in virtual time.

    class Rooms(ProcessMachine):
        async def start(self):
            self.rooms = (await Rooms.start_link()).unwrap()

        @rule(name=st.text())
        async def open(self, name):
            assert await call(self.rooms, ("open", name)) == "ok"

        @invariant()
        async def nobody_waits(self): ...

    TestRooms = Rooms.TestCase

`rule`, `initialize` and `invariant` are those of this module; `Bundle`, `precondition`, `consumes` and `multiple` those
of `hypothesis.stateful`. Needs Hypothesis.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from inspect import isawaitable
from typing import Any, ClassVar, Final, TypeAlias

from hypothesis import stateful
from hypothesis import strategies as st
from hypothesis.control import current_build_context
from hypothesis.stateful import Bundle, RuleBasedStateMachine
from hypothesis.strategies import SearchStrategy

from phxactor.runtime import Exit, Runtime
from phxactor.testing import _report
from phxactor.testing._machine_guest import Guest
from phxactor.testing.schedule import Schedule

Method: TypeAlias = Callable[..., Any]
DELAYS: Final = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3)), max_size=12)
"""The choices other than 0: pairs of the number of choices of 0 before it, and the number of tasks postponed."""


def rule(
    *, target: Bundle[Any] | None = None, targets: Sequence[Bundle[Any]] = (), **arguments: SearchStrategy[Any]
) -> Callable[[Method], Method]:
    """Make a method a rule, as Hypothesis's own decorator does; it may be `async def`."""
    decorate: Any = stateful.rule
    return _of_a_process(decorate(target=target, targets=targets, **arguments))


def initialize(
    *, target: Bundle[Any] | None = None, targets: Sequence[Bundle[Any]] = (), **arguments: SearchStrategy[Any]
) -> Callable[[Method], Method]:
    """Make a method a rule that is run once, before all others."""
    decorate: Any = stateful.initialize
    return _of_a_process(decorate(target=target, targets=targets, **arguments))


def invariant(*, check_during_init: bool = False) -> Callable[[Method], Method]:
    """Make a method an invariant, which is called after each rule."""
    return _of_a_process(stateful.invariant(check_during_init=check_during_init))


def _of_a_process(decorate: Callable[[Method], Method]) -> Callable[[Method], Method]:
    def accept(method: Method) -> Method:
        @wraps(method)
        def perform(self: ProcessMachine, *args: object, **kwargs: object) -> object:
            return self._perform(method, args, kwargs)

        return decorate(perform)

    return accept


class ProcessMachine(RuleBasedStateMachine):
    """The base class of a state machine. Subclass it and write rules.

    Each play has a runtime of its own, and all rules run in its first process. So rules may spawn, link, call and
    receive, and await each other. `await settle()` lets the other processes run until they wait. Time is virtual, and
    passes only within rules that wait for it. Hypothesis chooses the order in which processes run.

    A failure has the trace as a note. A rule that would wait for ever fails with DeadlockError, and a rule that raises
    an `Exit` with ExitedError.
    """

    runtime: Runtime
    timeouts: ClassVar[float] = 0.0
    """Seconds up to which a deadline may pass while others could run; 0: time passes only when all processes wait."""

    def __init__(self) -> None:
        """Prepare; the runtime is opened for the first rule."""
        super().__init__()
        self.schedule = Schedule()
        self.schedule.timeouts = self.timeouts  # not shown: the order of a machine is `in_this_order`
        _report.drawn()
        self.schedule.told = current_build_context().is_final  # only the last play of a failure is read
        self._guest: Guest | None = None
        self._failed = False
        self._within = False
        """Whether a rule is running."""

    async def start(self) -> None:
        """Set up the play, in the first process. Override it."""

    async def stop(self) -> None:
        """Check the state at the end of the play. Override it. It is not called if a rule has failed."""

    # ------------------------------------------------------------------------------------------- for Hypothesis

    @stateful.initialize(delays=DELAYS)
    def in_this_order(self, delays: list[tuple[int, int]]) -> None:
        """Let Hypothesis choose the order of steps, all at once, so that it can remove rules without changing it."""
        self.schedule.replay(delays)

    def teardown(self) -> None:
        """End the play."""
        guest, self._guest = self._guest, None
        if guest is None:
            return
        try:
            if not self._failed:
                self._do(guest, self.stop)
        finally:
            try:
                guest.finish()
            except Exception:  # after the failure of a rule, that failure counts
                if not self._failed:
                    raise

    def _perform(self, method: Method, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """Run a rule in the trio run; if another rule calls it, call it directly."""
        if self._within:
            return method(self, *args, **kwargs)

        async def job() -> object:
            value = method(self, *args, **kwargs)
            return await value if isawaitable(value) else value

        if self._guest is None:
            self._guest = Guest(self._world)
            self._do(self._guest, self.start)
            self.schedule.trace.first = len(self.schedule.trace.happenings)
        return self._do(self._guest, job)

    def _do(self, guest: Guest, job: Callable[[], Any]) -> object:
        async def watched() -> object:
            with self.schedule.steps.watched():
                return await job()
            raise AssertionError

        self._within = True
        try:
            return guest.do(watched)
        except (Exception, Exit) as error:  # noqa: BLE001 - raised again
            self._failed = True
            raise self.schedule.explain(error) from error.__cause__
        except BaseException:
            self._failed = True
            raise
        finally:
            self._within = False

    @asynccontextmanager
    async def _world(self) -> AsyncIterator[None]:
        async with self.schedule.playing_in_runtime() as self.runtime:
            yield
