"""docs/emitter.md: its Django view and its Celery task, in programs as their authors would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from phxactor.emitter import Emitter
from phxactor.envelope import Kind, decode
from tests.demos.program import ROOT
from tests.emitter.listener import SECRET, Listener
from tests.libraries import servers
from tests.patience import PATIENCE
from tests.test_readme import Block, blocks, compiled

PAGE = ROOT / "docs" / "emitter.md"

DJANGO = """
import logging, sys
import django
from django.conf import settings
from django.core.management import call_command
from django.urls import path

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    ROOT_URLCONF="__main__",
    SECRET_KEY="of the test",
    ALLOWED_HOSTS=["testserver"],
)
django.setup()
logging.basicConfig()
call_command("migrate", verbosity=0)
from django.test import Client
from shop import views

urlpatterns = [path("sign_up", views.sign_up)]
client = Client(raise_request_exception=False)
for name in sys.argv[1:]:
    answer = client.post("/sign_up", {"name": name})
    print(answer.status_code, flush=True)
print([name for name in sys.modules if name in ("trio", "phxactor.runtime")])
"""


def block(containing: str) -> Block:
    (found,) = [one for one in blocks(PAGE) if containing in one.text]
    return found


def settings(port: int) -> Mapping[str, str]:
    return os.environ | {
        "REDIS_URL": f"redis://127.0.0.1:{port}",
        "SECRET_KEY_BASE": SECRET,
        "PYTHONPATH": str(ROOT),
    }


def write(folder: Path, name: str, containing: str) -> None:
    (folder / "shop").mkdir()
    (folder / "shop" / name).write_text(block(containing).text)


@contextmanager
def celery_worker(folder: Path, port: int) -> Iterator[None]:
    options = ["--pool=prefork", "--concurrency=2", "--max-tasks-per-child=10"]
    options += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with (folder / "log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "shop.tasks", "worker", *options],
            cwd=folder,
            env=settings(port),
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        worker.terminate()
        try:
            worker.wait(PATIENCE)
        finally:
            worker.kill()


@pytest.mark.redis
def test_the_first_lines_of_the_page(redis_port: int, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings(redis_port).items():
        monkeypatch.setenv(name, value)
    namespace: dict[str, object] = {}
    exec(compiled(block("nodes = emitter"), PAGE), namespace)  # noqa: S102 - it is the page's
    assert namespace["nodes"] == 1
    assert [listener.message().event, listener.message().event] == ["news", "disconnect"]
    emitter = namespace["emitter"]
    assert isinstance(emitter, Emitter)
    emitter.close()


@pytest.mark.redis
def test_CL49_a_django_view_broadcasts_when_it_has_committed(
    redis_port: int, listener: Listener, tmp_path: Path
) -> None:
    """The second Ann breaks the transaction: nothing is told of her."""
    write(tmp_path, "views.py", "shop/views.py")
    done = subprocess.run(
        [sys.executable, "-c", DJANGO, "Ann", "Ann", "Bob"],
        cwd=tmp_path,
        env=settings(redis_port),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.splitlines() == ["200", "500", "200", "[]"], done.stderr
    heard = [listener.message() for _ in range(2)]
    assert [json.loads(message.payload)["name"] for message in heard] == ["Ann", "Bob"]
    assert heard[0][:4] == (Kind.BROADCAST, "endpoint.pubsub", "users", "new")
    assert listener.nothing()


@pytest.mark.redis
def test_CL47_a_django_view_answers_while_redis_is_away(tmp_path: Path) -> None:
    with servers.redis_server() as port:
        pass
    write(tmp_path, "views.py", "shop/views.py")
    done = subprocess.run(
        [sys.executable, "-c", DJANGO, "Ann"],
        cwd=tmp_path,
        env=settings(port),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.splitlines() == ["200", "[]"], done.stderr
    assert "in on_commit()" in done.stderr
    assert "Connection refused" in done.stderr
    assert SECRET not in done.stderr


@pytest.mark.redis
@pytest.mark.slow
def test_CL13_celery_tasks_broadcast_from_forked_processes(redis_port: int, listener: Listener, tmp_path: Path) -> None:
    """Each process, which ends after ten tasks, numbers its own; no number comes twice from one sender."""
    write(tmp_path, "tasks.py", "shop/tasks.py")
    send = "from shop.tasks import report\nfor number in range(20): report.delay(number)"
    with celery_worker(tmp_path, redis_port):
        subprocess.run([sys.executable, "-c", send], cwd=tmp_path, env=settings(redis_port), check=True)
        frames = [listener.frame() for _ in range(20)]
    heard = [decode(frame.message) for frame in frames]
    assert {message.topic for message in heard} == {f"users:{number}" for number in range(20)}
    assert {message[3:] for message in heard} == {("report", b'{"pages":10}')}
    senders = {frame.sender for frame in frames}
    assert len(senders) >= 2
    for sender in senders:
        numbers = [frame.number for frame in frames if frame.sender == sender]
        assert numbers == [*range(1, len(numbers) + 1)]
