"""Flask under an endpoint, in threads: JSON, its session, a body, a stream, a view that raises."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from flask import Flask, Response, request, session

from phxactor import Endpoint, open_runtime, wsgi
from phxactor.testing import HTTPClient


def application() -> Flask:
    app = Flask("shop")
    app.secret_key = "s" * 32

    def hello(name: str) -> dict[str, object]:
        session["visits"] = session.get("visits", 0) + 1
        return {"hello": name, "visits": session["visits"]}

    def upload() -> str:
        return str(len(request.get_data()))

    def stream() -> Response:
        def lines() -> Iterator[str]:
            yield from ("0\n", "1\n", "2\n")

        return Response(lines(), mimetype="text/plain")

    def fail() -> str:
        raise ValueError("in a view")

    app.add_url_rule("/hello/<name>", view_func=hello)
    app.add_url_rule("/upload", view_func=upload, methods=["POST"])
    app.add_url_rule("/stream", view_func=stream)
    app.add_url_rule("/fail", view_func=fail)
    return app


async def test_flask_runs_under_an_endpoint(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "shop")  # Flask tells of the view that raises
    endpoint = Endpoint(routes=[wsgi("/", application())])
    async with open_runtime():
        (await endpoint.start_link(server=False)).unwrap()
        client = HTTPClient(endpoint)
        for visits in (1, 2):  # the session's cookie comes back
            assert (await client.get("/hello/ann")).json() == {"hello": "ann", "visits": visits}
        body = await client.post("/upload", body=b"x" * 300_000, headers={"content-type": "text/plain"})
        assert body.text == "300000"
        assert (await client.get("/stream")).text == "0\n1\n2\n"
        assert ((await client.get("/fail")).status, (await client.get("/none")).status) == (500, 404)
