"""Standard output of the commands: a reader that leaves, as `head` does, or a full disk, ends them."""

from __future__ import annotations

import os
import select
import signal
import sys
from typing import NoReturn


def say(text: str) -> None:
    """Print lines. If they cannot be written, the program ends; see `end_output`."""
    try:
        print(text, flush=True)
    except OSError as error:
        end_output(error)


def nobody_reads() -> bool:
    """Say whether standard output is a pipe or socket whose reader has left."""
    if not hasattr(select, "poll"):  # Windows
        return False
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def end_output(error: OSError) -> NoReturn:
    """End the program since its output cannot be written: without a word if nobody reads it, as others by SIGPIPE.

    Raises SystemExit, which says why, in all other cases.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest at its end
    if isinstance(error, BrokenPipeError) and hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    raise SystemExit(f"the output cannot be written: {error.strerror or error}") from None
