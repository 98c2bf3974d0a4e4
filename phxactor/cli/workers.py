"""`phxactor workers`: the workers of this machine as text."""

from __future__ import annotations

from phxactor.cli.output import say
from phxactor.workers import FolderError, ask_state, parents


def workers(parent: int | None = None) -> None:
    """Show the workers that `phxactor serve --workers` has started on this machine, for this user.

    Args:
        parent: the process id of the parent; by default all parents.
    """
    try:
        found = parents() if parent is None else [parent]
    except FolderError as error:
        raise SystemExit(str(error)) from None
    if not found:
        raise SystemExit("no parent of workers runs here for this user")
    for number, pid in enumerate(found):
        try:
            state = ask_state(pid)
        except (OSError, ValueError, FolderError) as error:
            raise SystemExit(f"the process {pid} does not answer as a parent of workers: {error}") from None
        say(("\n" if number else "") + state.text())
