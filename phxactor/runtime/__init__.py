"""Processes: pid, mailbox, signals, links, monitors, names, timers, exit reasons. See README.md in this folder."""

from phxactor.runtime.cleanup import cleanup
from phxactor.runtime.current import (
    cancel_timer,
    demonitor,
    link,
    monitor,
    receive,
    register,
    self_pid,
    send,
    send_after,
    set_port,
    spawn,
    spawn_link,
    spawn_monitor,
    trap_exit,
    unlink,
    unregister,
    whereis,
)
from phxactor.runtime.errors import (
    Exit,
    NameTakenError,
    NoProcessError,
    NotAProcessError,
    WrongThreadError,
    wrong_thread,
)
from phxactor.runtime.garbage import sweep
from phxactor.runtime.here import current_runtime
from phxactor.runtime.left_open import close_left_open, lift_shields
from phxactor.runtime.mailbox import MailboxStatistics
from phxactor.runtime.messages import Answer, Down, Exited, From, Monitor, Ref, ref_of
from phxactor.runtime.opening import open_runtime
from phxactor.runtime.pid import Pid, Port, of_this_thread
from phxactor.runtime.reasons import (
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    SHUTDOWN,
    Crash,
    Reason,
    Shutdown,
    exception_of,
    format_reason,
    is_atom,
    is_benign,
    same_reason,
)
from phxactor.runtime.run import run
from phxactor.runtime.runtime import Runtime, RuntimeStatistics, disown, own
from phxactor.runtime.sink import Sink
from phxactor.runtime.state import State
from phxactor.runtime.taking import taking
from phxactor.runtime.timers import Timer

__all__ = [
    "KILL",
    "KILLED",
    "NOPROC",
    "NORMAL",
    "SHUTDOWN",
    "Answer",
    "Crash",
    "Down",
    "Exit",
    "Exited",
    "From",
    "MailboxStatistics",
    "Monitor",
    "NameTakenError",
    "NoProcessError",
    "NotAProcessError",
    "Pid",
    "Port",
    "Reason",
    "Ref",
    "Runtime",
    "RuntimeStatistics",
    "Shutdown",
    "Sink",
    "State",
    "Timer",
    "WrongThreadError",
    "cancel_timer",
    "cleanup",
    "close_left_open",
    "current_runtime",
    "demonitor",
    "disown",
    "exception_of",
    "format_reason",
    "is_atom",
    "is_benign",
    "lift_shields",
    "link",
    "monitor",
    "of_this_thread",
    "open_runtime",
    "own",
    "receive",
    "ref_of",
    "register",
    "run",
    "same_reason",
    "self_pid",
    "send",
    "send_after",
    "set_port",
    "spawn",
    "spawn_link",
    "spawn_monitor",
    "sweep",
    "taking",
    "trap_exit",
    "unlink",
    "unregister",
    "whereis",
    "wrong_thread",
]
