"""What a program mounts and serves. See README.md in this folder."""

from phxactor.endpoint.endpoint import Endpoint
from phxactor.endpoint.mount import Mount, mount
from phxactor.endpoint.options import DrainOptions
from phxactor.endpoint.routes import get, post, route
from phxactor.endpoint.serve import run
from phxactor.endpoint.static import static

__all__ = ["DrainOptions", "Endpoint", "Mount", "get", "mount", "post", "route", "run", "static"]
