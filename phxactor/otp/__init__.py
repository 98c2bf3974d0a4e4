"""Behaviours: GenServer, Supervisor, DynamicSupervisor, PartitionSupervisor, Registry, Task. See README.md here."""

from phxactor.otp import _measuring as _measuring  # it listens for who listens
from phxactor.otp._agent import Agent
from phxactor.otp._async_stream import TaskStream, async_stream
from phxactor.otp._call import CALL_TIMEOUT, Call, Cast, Name, Server, TypedRequest, Via, call, cast, reply
from phxactor.otp._callbacks import ANY, check_async, check_sync, is_async
from phxactor.otp._called import Called
from phxactor.otp._child_spec import (
    BRUTAL_KILL,
    Child,
    ChildSpec,
    HasChildSpec,
    Restart,
    Started,
    StartFunction,
    child_spec,
)
from phxactor.otp._debug import DONE, Continued, DebugEvent, DebugFunction, In, NoAnswer, Out, ServerStatistics
from phxactor.otp._dynamic_supervisor import DynamicSupervisor
from phxactor.otp._gen_server import GenServer
from phxactor.otp._intensity import Intensity
from phxactor.otp._interposing import Around, interposable, interpose, own_handlers, withdraw
from phxactor.otp._label import get_label, set_label
from phxactor.otp._partition_supervisor import Partitions, PartitionSupervisor
from phxactor.otp._process import KINDS, Handler, Outcome, ServerProcess
from phxactor.otp._registry import Registry
from phxactor.otp._registry_directory import RegisteredName
from phxactor.otp._reports import Status
from phxactor.otp._resource import Resource, value_of
from phxactor.otp._restart import Strategy
from phxactor.otp._results import (
    HIBERNATE,
    IGNORE,
    UNSET,
    Continue,
    Error,
    Hibernate,
    Ignore,
    NoReply,
    Ok,
    Reply,
    StartError,
    Stop,
    Timeout,
    Unset,
)
from phxactor.otp._start import start, stop
from phxactor.otp._supervising import SupervisedChild, SupervisingProcess
from phxactor.otp._supervisor import Supervisor
from phxactor.otp._supervisor_flags import MAX_RESTARTS, MAX_SECONDS, Supervise, SuperviseDynamically
from phxactor.otp._supervisor_process import SupervisorProcess
from phxactor.otp._supervisor_requests import RESTARTING, ChildCount, ChildInfo, ChildStatistics, SupervisorStatistics
from phxactor.otp._task import Task
from phxactor.otp._task_supervisor import TaskSupervisor

__all__ = [
    "ANY",
    "BRUTAL_KILL",
    "CALL_TIMEOUT",
    "DONE",
    "HIBERNATE",
    "IGNORE",
    "KINDS",
    "MAX_RESTARTS",
    "MAX_SECONDS",
    "RESTARTING",
    "UNSET",
    "Agent",
    "Around",
    "Call",
    "Called",
    "Cast",
    "Child",
    "ChildCount",
    "ChildInfo",
    "ChildSpec",
    "ChildStatistics",
    "Continue",
    "Continued",
    "DebugEvent",
    "DebugFunction",
    "DynamicSupervisor",
    "Error",
    "GenServer",
    "Handler",
    "HasChildSpec",
    "Hibernate",
    "Ignore",
    "In",
    "Intensity",
    "Name",
    "NoAnswer",
    "NoReply",
    "Ok",
    "Out",
    "Outcome",
    "PartitionSupervisor",
    "Partitions",
    "RegisteredName",
    "Registry",
    "Reply",
    "Resource",
    "Restart",
    "Server",
    "ServerProcess",
    "ServerStatistics",
    "StartError",
    "StartFunction",
    "Started",
    "Status",
    "Stop",
    "Strategy",
    "Supervise",
    "SuperviseDynamically",
    "SupervisedChild",
    "SupervisingProcess",
    "Supervisor",
    "SupervisorProcess",
    "SupervisorStatistics",
    "Task",
    "TaskStream",
    "TaskSupervisor",
    "Timeout",
    "TypedRequest",
    "Unset",
    "Via",
    "async_stream",
    "call",
    "cast",
    "check_async",
    "check_sync",
    "child_spec",
    "get_label",
    "interposable",
    "interpose",
    "is_async",
    "own_handlers",
    "reply",
    "set_label",
    "start",
    "stop",
    "value_of",
    "withdraw",
]
