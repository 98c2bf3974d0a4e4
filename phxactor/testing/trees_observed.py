"""Compares a program's own supervision tree with the model of OTP's restarts.

    await assert_restarts_as_otp(supervisor, ("app", "db"), ("app", "web", "cache"))

kills these nodes one after the other, and checks after each which nodes have been restarted and which have not. It
reads the strategy from the tree: with `strategy="rest_for_one"` it knows which one was meant.
"""

from __future__ import annotations

from collections.abc import Iterator

import trio

from phxactor.otp import ChildSpec, Ok, Strategy, SupervisingProcess, Supervisor, SupervisorProcess
from phxactor.runtime import KILL, KILLED, Pid
from phxactor.testing._settle import settle
from phxactor.testing._trees_model import TreeModel
from phxactor.testing.trees import Branch, Leaf, Path


async def assert_restarts_as_otp(
    supervisor: Pid,
    *killed: Path,
    root: object = "root",
    strategy: Strategy | None = None,
    max_restarts: int | None = None,
    max_seconds: float | None = None,
) -> None:
    """Kill nodes of a tree one after the other, and assert that its supervisors restart the nodes that OTP's would.

    What is not given here is read from the tree under test. So without `strategy`, a tree that says `one_for_one` by
    mistake passes: its supervisor does what OTP's would do for `one_for_one`. Give what you mean: `strategy`,
    `max_restarts` and `max_seconds` are those of `supervisor` itself; the restart types of its children, and all of the
    supervisors below it, are always read from the tree.

    A path is the ids from the root down; `root` is the id of the root itself. The children of dynamic supervisors have
    no ids and are ignored. The tree must not have restarted children recently, and the process above it must trap
    exits.

    Raises:
        AssertionError: the supervisor is not what was meant; the wrong nodes run, or the wrong nodes were restarted,
            after a kill.
        LookupError: no process runs at a path.

    """
    await settle()
    tree = await observe(supervisor, root)
    meant = {"strategy": strategy, "max_restarts": max_restarts, "max_seconds": max_seconds}
    for name, value in meant.items():
        if value is not None and getattr(tree, name) != value:
            raise AssertionError(f"{name} of {supervisor!r} is {getattr(tree, name)!r}, and should be {value!r}")
    model = TreeModel(tree)
    before = dict(pids(supervisor, (root,)))
    model.take_log()
    for path in killed:
        if path not in before:
            raise LookupError(f"nothing runs at {path}; there are {sorted(before, key=str)}")
        before[path].exit(KILL)
        model.now = trio.current_time()
        model.end(path, KILLED)
        await settle()
        after = dict(pids(supervisor, (root,)))
        started = {one for verb, one in model.take_log() if verb == "up"} & model.up()
        for what, seen, right in (
            ("run", set(after), model.up()),
            ("have been started again", {one for one, pid in after.items() if before.get(one) is not pid}, started),
        ):
            if seen != right:
                wrong = f"{sorted(seen, key=str)}, and should be {sorted(right, key=str)}"
                raise AssertionError(f"after {path} was killed, those that {what} are {wrong}")
        before = after


async def observe(supervisor: Pid, identity: object = "root", spec: ChildSpec | None = None) -> Branch:
    """Return a running tree as a value."""
    statistics = Supervisor.statistics(supervisor)
    children: list[Leaf | Branch] = []
    for child in statistics.children if _supervises(supervisor) else ():
        known = await Supervisor.get_childspec(supervisor, child.id)
        if isinstance(known, Ok) and isinstance(child.pid, Pid):
            below = _process(child.pid) is not None
            restart = known.value.restart
            children.append(await observe(child.pid, child.id, known.value) if below else Leaf(child.id, restart))
    return Branch(
        identity,
        tuple(children),
        getattr(_process(supervisor), "strategy", "one_for_one"),
        "permanent" if spec is None else spec.restart,
        statistics.max_restarts,
        statistics.max_seconds,
        "supervisor" if _supervises(supervisor) else "dynamic",
    )


def pids(supervisor: Pid, path: Path) -> Iterator[tuple[Path, Pid]]:
    """Yield the running processes of a tree with their paths, each before its children."""
    if not supervisor.alive:
        return
    yield path, supervisor
    for child in Supervisor.statistics(supervisor).children if _supervises(supervisor) else ():
        if isinstance(child.pid, Pid):
            yield from pids(child.pid, (*path, child.id))


def _process(pid: Pid) -> object:
    return (pid.dictionary or {}).get(SupervisingProcess)


def _supervises(pid: Pid) -> bool:
    """Return whether a process is a supervisor whose children have ids."""
    return isinstance(_process(pid), SupervisorProcess)
