"""Django's WSGI application in threads: views, async views, the ORM, streams, sessions; over streams in memory."""

from __future__ import annotations

from collections.abc import Iterator

import django
import pytest
import trio
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from phxactor.gateway import WebApplication, wsgi
from tests.gateway.talking import hosting


def users(_: HttpRequest) -> HttpResponse:
    from django.contrib.auth.models import User  # noqa: PLC0415 - needs Django's settings

    return JsonResponse({"users": User.objects.count()})


async def users_async(_: HttpRequest) -> HttpResponse:
    from django.contrib.auth.models import User  # noqa: PLC0415 - needs Django's settings

    return JsonResponse({"users": await User.objects.acount()})


def stream(_: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[bytes]:
        yield b"first"
        yield b"second"

    return StreamingHttpResponse(pieces())


def size(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{len(request.body)} {request.content_type} {request.build_absolute_uri()}")


def visits(request: HttpRequest) -> HttpResponse:
    request.session["n"] = request.session.get("n", 0) + 1
    return HttpResponse(str(request.session["n"]))


def fails(_: HttpRequest) -> HttpResponse:
    raise ValueError("broken")


urlpatterns = [
    path("users", users),
    path("users/async", users_async),
    path("stream", stream),
    path("size", size),
    path("visits", visits),
    path("fails", fails),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebApplication]:
    """Set Django up once, with a database in a file."""
    if not settings.configured:
        settings.configure(
            SECRET_KEY="s" * 50,
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=__name__,
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
            MIDDLEWARE=[
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.common.CommonMiddleware",
            ],
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
            DATABASES={
                "default": {
                    "ENGINE": "django.db.backends.sqlite3",
                    "NAME": str(tmp_path_factory.mktemp("django") / "site.db"),
                }
            },
            LOGGING_CONFIG=None,
        )
        django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - needs Django's settings
    from django.db import connections  # noqa: PLC0415 - the same
    from django.test import override_settings  # noqa: PLC0415 - the same

    with override_settings(ROOT_URLCONF=__name__):
        call_command("migrate", verbosity=0)
        connections.close_all()
        yield wsgi("/", get_wsgi_application())


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/users", 200, '{"users": 0}'),
        ("/users/async", 200, '{"users": 0}'),
        ("/stream", 200, "firstsecond"),
        ("/none", 404, None),
        ("/fails", 500, None),
    ],
)
async def test_django_answers(site: WebApplication, target: str, status: int, text: str | None) -> None:
    async with hosting(site) as house:
        answer = await house.ask(target)
        assert answer.status == status
        assert text is None or answer.text == text


async def test_django_has_bodies_and_sessions(site: WebApplication) -> None:
    async with hosting(site) as house:
        answer = await house.ask("/size", "POST", b"x" * 100_000, content_type="text/x")
        assert answer.text == "100000 text/x http://app.test/size"
        first = await house.ask("/visits")
        cookie = first.headers["set-cookie"].partition(";")[0]
        assert (first.text, (await house.ask("/visits", cookie=cookie)).text) == ("1", "2")


async def test_many_requests_use_the_database_at_once(site: WebApplication) -> None:
    async with hosting(site) as house:

        async def ask() -> None:
            assert (await house.ask("/users")).status == 200

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask)
