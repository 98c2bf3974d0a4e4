"""Simulated nodes without processes over nodes: tests of carriers count their own messages."""

from __future__ import annotations

from functools import partial

from phxactor.testing import cluster

bare = partial(cluster, processes=False)
