"""Metrics for Prometheus, with the extra `metrics` (prometheus-client). See README.md in this folder."""

from importlib.util import find_spec

if find_spec("prometheus_client") is None:
    raise ImportError("metrics need prometheus-client: pip install 'phxactor[metrics]'")

from phxactor.metrics._collector import PhxactorCollector, install, uninstall
from phxactor.metrics._dashboard import dashboard
from phxactor.metrics._routes import metrics_routes

__all__ = ["PhxactorCollector", "dashboard", "install", "metrics_routes", "uninstall"]
