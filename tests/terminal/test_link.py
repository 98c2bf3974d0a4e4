"""The link to a watched program, over a real connection: rows, one process, a kill, and a program that comes back."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from time import monotonic

import pytest

from phxactor.observer import Unreachable, locate
from phxactor.terminal import watch
from phxactor.terminal._link import Link, News
from tests.demos.program import environment, serving
from tests.patience import PATIENCE

pytestmark = pytest.mark.socket

TOKEN = "a token for this test"
SHOP = f"""
from phxactor import Agent, Application, ChildSpec, Endpoint, Supervisor
from phxactor.observer import observer_routes

store = Agent.child_spec(dict, name="store")
kitchen = ChildSpec(id="kitchen", type="supervisor", start=(Supervisor.start_link, ([store],), {{}}))

endpoint = Endpoint(routes=observer_routes(token={TOKEN!r}, actions=True))
application = Application(children=[kitchen], endpoints=[endpoint])
"""


class Told:
    """What a link has told."""

    def __init__(self, link: Link) -> None:
        self.news: Queue[News] = Queue()
        link.listen(self.news.put)

    def until(self, kind: str, condition: Callable[[News], bool] = lambda _: True) -> News:
        deadline = monotonic() + PATIENCE
        while True:
            one = self.news.get(timeout=max(0.0, deadline - monotonic()))
            if one.kind == kind and condition(one):
                return one


@contextmanager
def held() -> Iterator[str]:
    """Find a port that the system gives to nobody else, also while the program is away."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
        yield str(one.getsockname()[1])


def named(rows: News, name: str) -> int | None:
    return next((row[3] for row in rows.payload["rows"] if row[4] == name), None)


def test_it_reads_acts_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    view = {"view": 1, "search": "store", "depth": 20}
    with (
        held() as port,
        serving("serve", "shop:application", "--port", port, cwd=tmp_path) as program,
    ):
        link = Link(locate(port), TOKEN)
        link.start()
        try:
            told = Told(link)
            assert link.summary["actions"] is True
            link.look(view)
            store = named(told.until("rows", lambda rows: rows.payload["view"] == 1), "Agent (store)")
            assert store is not None
            link.open(store)
            told.until("process", lambda one: one.payload.get("state") == "{}")
            link.kill(store)
            told.until("process", lambda one: ":killed" in (one.payload.get("ended") or ""))
            again = told.until("rows", lambda rows: named(rows, "Agent (store)") not in (None, store))
            link.kill(named(again, "Agent (store)") or 0)  # which is not looked at
            told.until("done", lambda one: one.payload["number"] != store)
            link.open(10**6)
            assert told.until("gone").payload == {"number": 10**6, "reason": "there is no process 1000000 any more"}
            link.here()
            program.stop()
            told.until("away")
            with serving("serve", "shop:application", "--port", port, cwd=tmp_path):
                told.until("connected")
                came = told.until("rows", lambda rows: rows.payload["view"] == 1)
                assert named(came, "Agent (store)") is not None
        finally:
            link.stop()
        with pytest.raises(Unreachable, match="all attempts to connect"):
            Link(locate(port), TOKEN).start()


def test_who_is_not_let_in_is_told_why(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    with serving("serve", "shop:application", "--port", "0", cwd=tmp_path) as program:
        with pytest.raises(SystemExit, match=r"asks for its token \(401\): give --token"):
            watch(program.port, once=False, token="another token, no less")
        with pytest.raises(SystemExit, match="mount observer_routes"):
            watch(f"http://[::ffff:127.0.0.1]:{program.port}", once=False, token=TOKEN)


def test_without_textual_one_line_says_so() -> None:
    """The rest of the package, and `--once`, do without it."""
    code = "import sys; sys.modules['textual'] = None; from phxactor.terminal import watch; watch('4000', once=False)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout) == (1, "")
    told = "phxactor top needs textual for its keys: pip install phxactor[top] (without it: phxactor top --once)\n"
    assert done.stderr == told
