"""A page whose visitors are spread over four worker processes, any of which may be killed."""

from phxactor.demos.cluster.app import CSS, WORKERS, phoenix, run

__all__ = ["CSS", "WORKERS", "phoenix", "run"]
