"""Behaviours: GenServer, Supervisor, DynamicSupervisor, PartitionSupervisor, Registry, Task. See README.md here."""

from phxactor.otp.call import CALL_TIMEOUT, Call, Called, Cast, Name, Server, Via, call, cast, reply
from phxactor.otp.child_spec import BRUTAL_KILL, ChildSpec, StartFunction
from phxactor.otp.gen_server import GenServer
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

__all__ = [
    "BRUTAL_KILL",
    "CALL_TIMEOUT",
    "HIBERNATE",
    "IGNORE",
    "UNSET",
    "Call",
    "Called",
    "Cast",
    "ChildSpec",
    "Continue",
    "Error",
    "GenServer",
    "Hibernate",
    "Ignore",
    "Name",
    "NoReply",
    "Ok",
    "Reply",
    "Server",
    "ServerProcess",
    "StartError",
    "StartFunction",
    "Stop",
    "Timeout",
    "Via",
    "call",
    "cast",
    "reply",
    "start",
    "stop",
]
