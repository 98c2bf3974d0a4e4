"""Sharded servers: one server for each key, on one node of the cluster. See README.md here."""

from phxactor.sharded._instance import IDLED, MOVED
from phxactor.sharded._options import OnSplit
from phxactor.sharded._sharded import Sharded
from phxactor.sharded._singleton import Singleton
from phxactor.sharded._statistics import ShardedStatistics, sharded_statistics
from phxactor.sharded._token import Token

__all__ = [
    "IDLED",
    "MOVED",
    "OnSplit",
    "Sharded",
    "ShardedStatistics",
    "Singleton",
    "Token",
    "sharded_statistics",
]
