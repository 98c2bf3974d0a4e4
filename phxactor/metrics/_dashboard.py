"""The dashboard for Grafana, as a file of the package."""

from __future__ import annotations

from importlib.resources import files


def dashboard() -> str:
    """Return the dashboard as JSON, for Grafana's import; it asks for the data source, the job and the instances."""
    return files("phxactor.metrics").joinpath("grafana.json").read_text()
