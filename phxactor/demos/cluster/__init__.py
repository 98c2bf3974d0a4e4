"""A page whose visitors are spread over four worker processes, any of which may be killed."""

from phxactor.demos.cluster.app import run

__all__ = ["run"]
