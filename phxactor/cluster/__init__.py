"""Nodes: processes of the operating system, each with a runtime, that hear of one another. See README.md here."""

from phxactor.cluster._beats import INTERVAL as BEAT_INTERVAL
from phxactor.cluster._beats import Beat, Beats
from phxactor.cluster._carrier import Carrier, DownReason
from phxactor.cluster._cluster import Cluster, demonitor_nodes, monitor_nodes, nodes, this_node
from phxactor.cluster._local_node import NAME as CLUSTER
from phxactor.cluster._local_node import LocalNode
from phxactor.cluster._monitoring import Gap, NodeDown, NodeUp
from phxactor.cluster._node import Node, new_group, new_node
from phxactor.cluster._numbers import Numbers, Verdict
from phxactor.cluster._peers import Peers
from phxactor.cluster._statistics import Away, CarrierStatistics, Health, NodeStatistics
from phxactor.cluster.carriers.redis import Redis

__all__ = [
    "BEAT_INTERVAL",
    "CLUSTER",
    "Away",
    "Beat",
    "Beats",
    "Carrier",
    "CarrierStatistics",
    "Cluster",
    "DownReason",
    "Gap",
    "Health",
    "LocalNode",
    "Node",
    "NodeDown",
    "NodeStatistics",
    "NodeUp",
    "Numbers",
    "Peers",
    "Redis",
    "Verdict",
    "demonitor_nodes",
    "monitor_nodes",
    "new_group",
    "new_node",
    "nodes",
    "this_node",
]
