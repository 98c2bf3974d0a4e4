"""Web applications of other frameworks at a path of an endpoint: ASGI on trio, WSGI in threads. See README.md here."""

from phxactor.gateway._hosted import HostedApplication
from phxactor.gateway._serve import serve_request
from phxactor.gateway._tree import application_spec
from phxactor.gateway._types import ASGIApp, ClientDisconnectedError, WSGIApp
from phxactor.gateway._web_application import WebApplication, asgi, wsgi

__all__ = [
    "ASGIApp",
    "ClientDisconnectedError",
    "HostedApplication",
    "WSGIApp",
    "WebApplication",
    "application_spec",
    "asgi",
    "serve_request",
    "wsgi",
]
