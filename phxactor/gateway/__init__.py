"""Web applications of other frameworks at a path of an endpoint: ASGI on trio, WSGI in threads. See README.md here."""

from phxactor.gateway._app_websocket import ApplicationWebSocket
from phxactor.gateway._hosted import HostedApplication
from phxactor.gateway._serve import serve_request
from phxactor.gateway._serve_websocket import open_websocket
from phxactor.gateway._tree import application_spec
from phxactor.gateway._types import ASGIApp, ClientDisconnectedError, WSGIApp
from phxactor.gateway._web_application import WebApplication, asgi, wsgi

__all__ = [
    "ASGIApp",
    "ApplicationWebSocket",
    "ClientDisconnectedError",
    "HostedApplication",
    "WSGIApp",
    "WebApplication",
    "application_spec",
    "asgi",
    "open_websocket",
    "serve_request",
    "wsgi",
]
