"""Behaviours: GenServer, Supervisor, DynamicSupervisor, PartitionSupervisor, Registry, Task. See README.md here."""

from phxactor.otp import system
from phxactor.otp.agent import Agent
from phxactor.otp.async_stream import TaskStream, async_stream
from phxactor.otp.call import CALL_TIMEOUT, Call, Cast, Name, Server, TypedRequest, Via, call, cast, reply
from phxactor.otp.called import Called
from phxactor.otp.child_spec import BRUTAL_KILL, Child, ChildSpec, Started, StartFunction, child_spec
from phxactor.otp.debug import DONE, Continued, DebugEvent, DebugFunction, In, NoAnswer, Out, ServerStatistics
from phxactor.otp.dynamic_supervisor import DynamicSupervisor
from phxactor.otp.gen_server import GenServer
from phxactor.otp.label import get_label, set_label
from phxactor.otp.partition_supervisor import PartitionSupervisor
from phxactor.otp.process import ServerProcess
from phxactor.otp.registry import Registry
from phxactor.otp.registry_directory import RegisteredName
from phxactor.otp.reports import Status
from phxactor.otp.results import (
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
)
from phxactor.otp.start import start, stop
from phxactor.otp.supervisor import Supervisor
from phxactor.otp.supervisor_flags import Supervise, SuperviseDynamically
from phxactor.otp.supervisor_requests import (
    RESTARTING,
    ChildCount,
    ChildInfo,
    ChildStatistics,
    SupervisorStatistics,
)
from phxactor.otp.task import Task
from phxactor.otp.task_supervisor import TaskSupervisor

__all__ = [
    "BRUTAL_KILL",
    "CALL_TIMEOUT",
    "DONE",
    "HIBERNATE",
    "IGNORE",
    "RESTARTING",
    "UNSET",
    "Agent",
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
    "Hibernate",
    "Ignore",
    "In",
    "Name",
    "NoAnswer",
    "NoReply",
    "Ok",
    "Out",
    "PartitionSupervisor",
    "RegisteredName",
    "Registry",
    "Reply",
    "Server",
    "ServerProcess",
    "ServerStatistics",
    "StartError",
    "StartFunction",
    "Started",
    "Status",
    "Stop",
    "Supervise",
    "SuperviseDynamically",
    "Supervisor",
    "SupervisorStatistics",
    "Task",
    "TaskStream",
    "TaskSupervisor",
    "Timeout",
    "TypedRequest",
    "Via",
    "async_stream",
    "call",
    "cast",
    "child_spec",
    "get_label",
    "reply",
    "set_label",
    "start",
    "stop",
    "system",
]
