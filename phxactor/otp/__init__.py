"""Behaviours: GenServer, Supervisor, DynamicSupervisor, PartitionSupervisor, Registry, Task. See README.md here."""

from phxactor.otp.call import CALL_TIMEOUT, Call, Called, Cast, Name, Server, Via, call, cast, reply
from phxactor.otp.child_spec import BRUTAL_KILL, Child, ChildSpec, Started, StartFunction, child_spec
from phxactor.otp.dynamic_supervisor import DynamicSupervisor
from phxactor.otp.gen_server import GenServer
from phxactor.otp.partition_supervisor import PartitionSupervisor
from phxactor.otp.process import ServerProcess
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

__all__ = [
    "BRUTAL_KILL",
    "CALL_TIMEOUT",
    "HIBERNATE",
    "IGNORE",
    "RESTARTING",
    "UNSET",
    "Call",
    "Called",
    "Cast",
    "Child",
    "ChildCount",
    "ChildInfo",
    "ChildSpec",
    "ChildStatistics",
    "Continue",
    "DynamicSupervisor",
    "Error",
    "GenServer",
    "Hibernate",
    "Ignore",
    "Name",
    "NoReply",
    "Ok",
    "PartitionSupervisor",
    "Reply",
    "Server",
    "ServerProcess",
    "StartError",
    "StartFunction",
    "Started",
    "Stop",
    "Supervise",
    "SuperviseDynamically",
    "Supervisor",
    "SupervisorStatistics",
    "Timeout",
    "Via",
    "call",
    "cast",
    "child_spec",
    "reply",
    "start",
    "stop",
]
