"""The carrier by Redis. See README.md in this folder."""

from phxactor.cluster.carriers.redis._carrier import DERIVED, Redis

__all__ = ["DERIVED", "Redis"]
