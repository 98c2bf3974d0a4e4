"""phxactor around uvicorn: an ASGI application and channels on one port. See README.md in this folder."""

from importlib.util import find_spec

if find_spec("uvicorn") is None:
    raise ModuleNotFoundError("phxactor.uvicorn needs uvicorn: pip install 'phxactor[uvicorn]'")

from phxactor.uvicorn._server import Server, run

__all__ = ["Server", "run"]
