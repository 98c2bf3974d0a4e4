"""The carrier between the workers of one parent, and the control line between a worker and its parent."""

from phxactor.cluster.carriers.workers._control import (
    Beat,
    Configure,
    ControlError,
    ControlMessage,
    DescriptorsLostError,
    Gone,
    Hello,
    LineLost,
    Listen,
    Peer,
    Publish,
    Ready,
    Stop,
    Stopped,
)
from phxactor.cluster.carriers.workers._control_line import ControlLine, control_pair
from phxactor.cluster.carriers.workers._peering import AGAIN, Peering
from phxactor.cluster.carriers.workers._this_worker import VARIABLE, ThisWorker, is_started_by_a_parent, this_worker
from phxactor.cluster.carriers.workers._wanted import Wanted
from phxactor.cluster.carriers.workers._workers import Workers

__all__ = [
    "AGAIN",
    "VARIABLE",
    "Beat",
    "Configure",
    "ControlError",
    "ControlLine",
    "ControlMessage",
    "DescriptorsLostError",
    "Gone",
    "Hello",
    "LineLost",
    "Listen",
    "Peer",
    "Peering",
    "Publish",
    "Ready",
    "Stop",
    "Stopped",
    "ThisWorker",
    "Wanted",
    "Workers",
    "control_pair",
    "is_started_by_a_parent",
    "this_worker",
]
