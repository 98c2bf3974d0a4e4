"""The test kit: clients and channels without network ports, virtual time, leak checks. Needs pytest and trio."""

from phxactor.testing._channel import ClientChannel
from phxactor.testing._client import Client
from phxactor.testing._cluster import Nodes, cluster
from phxactor.testing._connecting import admitted, connect
from phxactor.testing._http_client import HTTPAnswer, HTTPClient
from phxactor.testing._network import Network
from phxactor.testing._patterns import exactly
from phxactor.testing._presence import assert_presence
from phxactor.testing._refusals import Refused, assert_refused
from phxactor.testing._settle import settle
from phxactor.testing._simulated_carrier import Simulated
from phxactor.testing._simulated_node import SimulatedNode

__all__ = [
    "Client",
    "ClientChannel",
    "HTTPAnswer",
    "HTTPClient",
    "Network",
    "Nodes",
    "Refused",
    "Simulated",
    "SimulatedNode",
    "admitted",
    "assert_presence",
    "assert_refused",
    "cluster",
    "connect",
    "exactly",
    "settle",
]
