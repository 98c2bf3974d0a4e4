"""phxactor around uvicorn: an ASGI application and channels on one port. See README.md in this folder."""

from phxactor.uvicorn._server import Server, run

__all__ = ["Server", "run"]
