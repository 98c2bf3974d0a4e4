"""A Django site with one user, and what the page's functions say of its sessions. A program: settings are made once.

python -m tests.sessions.django_site ENGINE FOLDER     prints JSON
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
import trio
from django.conf import settings
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import path

OLD, NEW = "o" * 50, "n" * 50


def configure(engine: str, folder: Path) -> None:
    """Make the settings, and the tables."""
    settings.configure(
        SECRET_KEY=OLD,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=["django.contrib.sessions", "django.contrib.contenttypes", "django.contrib.auth"],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "site.sqlite3")}},
        SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}",
        SESSION_FILE_PATH=str(folder),
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # a good one takes its time
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)


def form(request: Any) -> Any:  # noqa: ANN401 - Django has no types
    """Show the CSRF token of a form, and set its cookie."""
    from django.http import HttpResponse  # noqa: PLC0415 - needs settings
    from django.middleware.csrf import get_token  # noqa: PLC0415

    return HttpResponse(get_token(request))


urlpatterns = [path("form", form)]


def results(engine: str) -> dict[str, object]:
    """Log in, read the session as the page does, and again after each thing that may happen to it."""
    from django.contrib.auth.models import User  # noqa: PLC0415 - needs settings
    from django.contrib.sessions.models import Session  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from tests.sessions.page import names_of_the_page  # noqa: PLC0415

    page = names_of_the_page()
    found: dict[str, object] = {}

    def read(value: str) -> object:
        return trio.run(page["read_django"], value)

    ann = User.objects.create_user("ann", password="first")
    browser = Client()
    browser.force_login(ann)
    cookie = browser.cookies["sessionid"].value
    found["logged in"] = read(cookie)
    with override_settings(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[OLD]):
        found["a new key"] = read(cookie)
        found["a new key, again"] = read(cookie)
    with override_settings(SECRET_KEY=NEW):
        found["another key"] = read(cookie)
    found["tampered"] = read(cookie[:-5] + ("a" if cookie[-5] != "a" else "b") + cookie[-4:])
    found["nonsense"] = [
        read(value) for value in ("", "x", "../../etc/passwd", "a" * 32, "é" * 32, "\0" * 32, "." * 5000)
    ]
    if engine == "db":
        rows = Session.objects.filter(session_key=cookie)
        end = rows.get().expire_date
        rows.update(expire_date=timezone.now() - timedelta(seconds=1))
        found["expired"] = read(cookie)
        rows.update(expire_date=end)
    anonymous = Client()
    anonymous.session["cart"] = [1]
    session = anonymous.session
    session["cart"] = [1]
    session.save()
    found["not logged in"] = read(session.session_key)
    User.objects.filter(pk=ann.pk).update(is_active=False)
    found["inactive"] = read(cookie)
    User.objects.filter(pk=ann.pk).update(is_active=True)
    found["active again"] = read(cookie)
    ann.set_password("second")
    ann.save()
    found["another password"] = read(cookie)
    found["the rows that are left"] = Session.objects.filter(session_key=cookie).count()
    found["csrf"] = csrf(page)
    return found


def csrf(page: dict[str, Any]) -> list[bool]:
    """Ask with the token of a form, and with others."""
    browser, other = Client(), Client()
    shown = browser.get("/form").content.decode()
    foreign = other.get("/form").content.decode()
    cookies = {"csrftoken": browser.cookies["csrftoken"].value}
    tokens: list[object] = [shown, foreign, "", None, ["x"], shown[:-1]]
    return [page["django_csrf"](cookies, token) for token in tokens] + [page["django_csrf"]({}, shown)]


if __name__ == "__main__":
    engine, folder = sys.argv[1:]
    configure(engine, Path(folder))
    print(json.dumps(results(engine)))  # noqa: T201 - the test reads it
