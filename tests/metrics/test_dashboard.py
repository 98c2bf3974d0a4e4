"""Grafana's dashboard: its queries against what a program really shows, alone, and in Prometheus, with workers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import trio

from phxactor.metrics import dashboard
from tests.demos.program import ROOT, Program, serving
from tests.metrics.exposition import samples, value
from tests.metrics.promql import named, queries
from tests.metrics.served import ask, drive, get
from tests.patience import PATIENCE
from tests.proxies.running import free_port

pytestmark = [pytest.mark.socket, pytest.mark.slow]

PROMETHEUS: Final = shutil.which("prometheus", path=f"{Path(sys.executable).parent}:/usr/bin")


@contextmanager
def served(*options: str) -> Iterator[Program]:
    """Serve the program of these tests."""
    with serving("serve", "--factory", "tests.metrics.program:make", "--port", "0", *options, cwd=ROOT) as program:
        yield program


async def test_each_query_names_what_a_program_shows() -> None:
    with served() as program:
        await drive(program.url)
        found = samples(await trio.to_thread.run_sync(get, f"{program.url}/metrics"))
    shown = {one.name: set(one.labels) for one in found}
    asked = list(queries())
    assert len(asked) > 30
    for query in asked:
        names, labels = named(query)
        assert names
        for name in names - RARE:
            assert name in shown, query
        for name in names & set(shown):
            assert labels <= shown[name], query


RARE: Final = {
    "phxactor_refused_sockets_total", "phxactor_refused_connections_total", "phxactor_rate_limited_total",
    "phxactor_bad_input_total", "phxactor_slow_consumers_total", "phxactor_supervisors_gave_up_total",
    "phxactor_node_messages_sent_total", "phxactor_node_messages_received_total",
    "phxactor_node_messages_dropped_total", "phxactor_pubsub_gaps_total",
}  # fmt: skip
"""Counters by labels of what has not happened in the test: they have no sample yet."""


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    found = json.loads(dashboard())
    assert found["id"] is None
    assert found["uid"] == "phxactor"
    assert [one["name"] for one in found["templating"]["list"]] == ["datasource", "job", "instance"]
    taken: set[tuple[int, int]] = set()
    for panel in found["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        assert all(one["datasource"]["uid"] == "${datasource}" for one in panel.get("targets", ()))
    assert len({panel["id"] for panel in found["panels"]}) == len(found["panels"])


async def test_a_scrape_of_workers_shows_all_of_them() -> None:
    with served("--workers", "2") as program:
        workers: set[int] = set()
        while len(workers) < 2:
            workers |= await drive(program.url)
        found = samples(await trio.to_thread.run_sync(get, f"{program.url}/metrics"))
        again = samples(await trio.to_thread.run_sync(get, f"{program.url}/metrics"))
    for one in found, again:
        assert {each.labels["worker"] for each in one} == {"1", "2"}
        assert value(one, "phxactor_worker_up") == 2
        assert len({(each.name, *sorted(each.labels.items())) for each in one}) == len(one)  # no series is there twice
    for number in ("1", "2"):
        before, after = (value(one, "phxactor_joins_total", worker=number) for one in (found, again))
        assert 0 < before == after


@pytest.mark.skipif(PROMETHEUS is None, reason="there is no prometheus: make servers")
async def test_prometheus_scrapes_it_and_answers_each_query(tmp_path: Path) -> None:
    with served("--workers", "2") as program, prometheus(program.url, tmp_path) as url:
        await drive(program.url)
        await answered(url, 'phxactor_joins_total{status="ok"}')
        await drive(program.url)
        up = ask(url, 'up{job="phxactor"}')
        assert [one["value"][1] for one in up] == ["1"]  # type: ignore[index]
        assert len(ask(url, "phxactor_info")) == 2
        await answered(url, "sum(rate(phxactor_joins_total[1m])) > 0")
        for query in queries():
            names, _ = named(query)
            if names & RARE or "increase" in query or 'outcome!="ok"' in query:
                ask(url, query)  # there is nothing to show yet, but it is a query
            else:
                await answered(url, query)


async def answered(url: str, query: str) -> None:
    """Wait until Prometheus runs, and has an answer to a query."""
    with trio.fail_after(PATIENCE):
        while True:
            try:
                if await trio.to_thread.run_sync(ask, url, query):
                    return
            except OSError:
                pass  # it does not run yet
            await trio.sleep(0.2)


@contextmanager
def prometheus(target: str, folder: Path) -> Iterator[str]:
    """Run Prometheus, which scrapes a program each second."""
    assert PROMETHEUS is not None
    port = free_port()
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        f"  - {{job_name: phxactor, static_configs: [{{targets: ['{target.removeprefix('http://')}']}}]}}\n"
    )
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [
            PROMETHEUS,
            "--config.file=prometheus.yml",
            f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.path=data",
        ],
        cwd=folder,
        stdout=log,
        stderr=log,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(PATIENCE)
        log.close()
