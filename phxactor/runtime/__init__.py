"""Processes: pid, mailbox, signals, links, monitors, names, timers, exit reasons. See README.md in this folder."""

from phxactor.runtime._cleanup import cleanup
from phxactor.runtime._countdown import Countdown, counted
from phxactor.runtime._current import (
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
    whereis_at,
)
from phxactor.runtime._elsewhere import (
    down_elsewhere,
    ended_elsewhere,
    link_ended_elsewhere,
    link_started,
    new_monitor,
    watch_started,
)
from phxactor.runtime._errors import (
    Exit,
    NameTakenError,
    NoProcessError,
    NotAProcessError,
    NotLocalError,
    WrongThreadError,
    not_here,
    wrong_thread,
)
from phxactor.runtime._from_thread import run as run_from_thread
from phxactor.runtime._from_thread import run_sync as run_sync_from_thread
from phxactor.runtime._garbage import Collector, sweep, unlooked
from phxactor.runtime._hard_stop import HardStop
from phxactor.runtime._here import current_runtime, runtime_of_thread
from phxactor.runtime._hints import explain
from phxactor.runtime._idle import is_idle
from phxactor.runtime._left_open import close_left_open, lift_shields
from phxactor.runtime._mailbox import Mailbox, MailboxStatistics
from phxactor.runtime._memory import resident
from phxactor.runtime._messages import Answer, Down, Exited, From, Monitor, Ref, ref_of
from phxactor.runtime._names import check_name
from phxactor.runtime._open_runtime import STOP_TIMEOUT, open_runtime
from phxactor.runtime._patience import Patience
from phxactor.runtime._pauses import Pauses
from phxactor.runtime._pid import Pid, Port, current, of_this_thread
from phxactor.runtime._process import is_cancellation, reason_of_failure
from phxactor.runtime._reason_words import describe_reason
from phxactor.runtime._reasons import (
    KILL,
    KILLED,
    NOCONNECTION,
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
from phxactor.runtime._remote import Remote, RemotePid
from phxactor.runtime._reported import child_has_reported, has_reported, note_report
from phxactor.runtime._run import abandon, check_care, kill, run, run_hosted, stop
from phxactor.runtime._runtime import Runtime, disown, own
from phxactor.runtime._signals import (
    add_link,
    add_monitor,
    drop_link,
    drop_monitor,
    exit_signal,
    fatal,
    link_signal,
    will_arrive,
)
from phxactor.runtime._sink import Sink
from phxactor.runtime._state import DEAD, State
from phxactor.runtime._statistics import RuntimeStatistics
from phxactor.runtime._system_signals import SystemSignals
from phxactor.runtime._taking import taking
from phxactor.runtime._tasks import task_of
from phxactor.runtime._timers import Timer, Timers
from phxactor.runtime._tls_streams import forget_handshake
from phxactor.runtime._tracebacks import forget_frames, without_our_frame
from phxactor.runtime._trio_internals import private, unknown
from phxactor.runtime._waiting import NOTHING, Waiter
from phxactor.runtime._watchdog import STUCK_AFTER

__all__ = [
    "DEAD",
    "KILL",
    "KILLED",
    "NOCONNECTION",
    "NOPROC",
    "NORMAL",
    "NOTHING",
    "SHUTDOWN",
    "STOP_TIMEOUT",
    "STUCK_AFTER",
    "Answer",
    "Collector",
    "Countdown",
    "Crash",
    "Down",
    "Exit",
    "Exited",
    "From",
    "HardStop",
    "Mailbox",
    "MailboxStatistics",
    "Monitor",
    "NameTakenError",
    "NoProcessError",
    "NotAProcessError",
    "NotLocalError",
    "Patience",
    "Pauses",
    "Pid",
    "Port",
    "Reason",
    "Ref",
    "Remote",
    "RemotePid",
    "Runtime",
    "RuntimeStatistics",
    "Shutdown",
    "Sink",
    "State",
    "SystemSignals",
    "Timer",
    "Timers",
    "Waiter",
    "WrongThreadError",
    "abandon",
    "add_link",
    "add_monitor",
    "cancel_timer",
    "check_care",
    "check_name",
    "child_has_reported",
    "cleanup",
    "close_left_open",
    "counted",
    "current",
    "current_runtime",
    "demonitor",
    "describe_reason",
    "disown",
    "down_elsewhere",
    "drop_link",
    "drop_monitor",
    "ended_elsewhere",
    "exception_of",
    "exit_signal",
    "explain",
    "fatal",
    "forget_frames",
    "forget_handshake",
    "format_reason",
    "has_reported",
    "is_atom",
    "is_benign",
    "is_cancellation",
    "is_idle",
    "kill",
    "lift_shields",
    "link",
    "link_ended_elsewhere",
    "link_signal",
    "link_started",
    "monitor",
    "new_monitor",
    "not_here",
    "note_report",
    "of_this_thread",
    "open_runtime",
    "own",
    "private",
    "reason_of_failure",
    "receive",
    "ref_of",
    "register",
    "resident",
    "run",
    "run_from_thread",
    "run_hosted",
    "run_sync_from_thread",
    "runtime_of_thread",
    "same_reason",
    "self_pid",
    "send",
    "send_after",
    "set_port",
    "spawn",
    "spawn_link",
    "spawn_monitor",
    "stop",
    "sweep",
    "taking",
    "task_of",
    "trap_exit",
    "unknown",
    "unlink",
    "unlooked",
    "unregister",
    "watch_started",
    "whereis",
    "whereis_at",
    "will_arrive",
    "without_our_frame",
    "wrong_thread",
]
