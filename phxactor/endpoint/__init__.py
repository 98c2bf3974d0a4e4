"""Endpoints: the sockets and routes that a program serves. See README.md in this folder."""

from phxactor.endpoint._access import log_requests
from phxactor.endpoint._admission import Admission, RefusedError
from phxactor.endpoint._application import ROOT, Application
from phxactor.endpoint._endpoint import IN_MEMORY, Endpoint
from phxactor.endpoint._entrance import Entrance
from phxactor.endpoint._mount import Mount, mount
from phxactor.endpoint._options import DrainOptions
from phxactor.endpoint._serve import announced, run, serve
from phxactor.endpoint._service_manager import ALIVE, READY, STOPPING, ServiceManager, reloading
from phxactor.endpoint._serving import Serving, connections_of

__all__ = [
    "ALIVE",
    "IN_MEMORY",
    "READY",
    "ROOT",
    "STOPPING",
    "Admission",
    "Application",
    "DrainOptions",
    "Endpoint",
    "Entrance",
    "Mount",
    "RefusedError",
    "ServiceManager",
    "Serving",
    "announced",
    "connections_of",
    "log_requests",
    "mount",
    "reloading",
    "run",
    "serve",
]
