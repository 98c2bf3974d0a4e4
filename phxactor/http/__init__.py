"""HTTP/1.1: requests, responses, routes, static files, origins and session cookies. See README.md in this folder."""

from phxactor.http._answering import MAX_BODY, Answering
from phxactor.http._authority import DEFAULT_PORTS, MAX_PORT, Authority
from phxactor.http._body import JSON
from phxactor.http._cookie_session import CookieSession, ReadSession, SessionMapping
from phxactor.http._cookies import parse_cookies
from phxactor.http._csrf import is_valid_csrf_token, masked_csrf_token, new_csrf_token
from phxactor.http._h11_stream import SEND_TIMEOUT, BadRequest, H11Stream
from phxactor.http._hosts import Hosts, cannot_be_rebound, is_loopback
from phxactor.http._http_connection import HEAD_TIMEOUT, KEEP_ALIVE, LEFT_OVER, MUCH, HTTPConnection
from phxactor.http._local_path import is_local_path
from phxactor.http._origin import CheckOrigin, OriginCheck
from phxactor.http._params import BadParams, Params
from phxactor.http._plain_head import plain_upgrade
from phxactor.http._request import LOCAL, PeerData, Request
from phxactor.http._request_error import RequestError
from phxactor.http._response import Response, last_answer
from phxactor.http._response_headers import HeaderPairs
from phxactor.http._routes import Handler, Route, Routes, get, post, route
from phxactor.http._session_cookie import Session, SessionOptions, session_of
from phxactor.http._static import static
from phxactor.http._trusted_proxies import TrustedProxies

__all__ = [
    "DEFAULT_PORTS",
    "HEAD_TIMEOUT",
    "JSON",
    "KEEP_ALIVE",
    "LEFT_OVER",
    "LOCAL",
    "MAX_BODY",
    "MAX_PORT",
    "MUCH",
    "SEND_TIMEOUT",
    "Answering",
    "Authority",
    "BadParams",
    "BadRequest",
    "CheckOrigin",
    "CookieSession",
    "H11Stream",
    "HTTPConnection",
    "Handler",
    "HeaderPairs",
    "Hosts",
    "OriginCheck",
    "Params",
    "PeerData",
    "ReadSession",
    "Request",
    "RequestError",
    "Response",
    "Route",
    "Routes",
    "Session",
    "SessionMapping",
    "SessionOptions",
    "TrustedProxies",
    "cannot_be_rebound",
    "get",
    "is_local_path",
    "is_loopback",
    "is_valid_csrf_token",
    "last_answer",
    "masked_csrf_token",
    "new_csrf_token",
    "parse_cookies",
    "plain_upgrade",
    "post",
    "route",
    "session_of",
    "static",
]
