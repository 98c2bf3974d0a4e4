"""The demos for a terminal: what they print, to the letter and the same each time, on a clock that does not wait."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from phxactor import open_runtime
from phxactor.demos import circuit, escalation, pipeline, pool
from phxactor.demos.story import Story, perform
from phxactor.runtime.events import exited

PIPELINE = """\
  0.0 s  + writer <4> started
  0.0 s  + parser <5> started
  0.0 s  + reader <6> started
  0.5 s    reader reads '2'
  0.5 s    writer has [2]
  1.0 s    reader reads '3'
  1.0 s    writer has [2, 3]
  1.5 s    reader reads 'five'
  1.5 s  - parser <5> ended: (ValueError) invalid literal for int() with base 10: 'five'
  1.5 s  - reader <6> ended: :shutdown
  1.5 s  + parser <7> started
  1.5 s  + reader <8> started
  2.0 s    reader reads '7'
  2.0 s    writer has [2, 3, 7]
  2.5 s    reader reads '11'
  2.5 s    writer has [2, 3, 7, 11]
  3.0 s  all is read: the supervisor stops its children, the last one first
  3.0 s  - reader <8> ended: :shutdown
  3.0 s  - parser <7> ended: :shutdown
  3.0 s  - writer <4> ended: :shutdown
  3.0 s  - pipeline <3> ended: :normal
"""

CIRCUIT = """\
  0.0 s  five processes in a ring of links; c burns out
  1.0 s    a has ended: :burnt_out
  1.0 s    b has ended: :burnt_out
  1.0 s    c has ended: :burnt_out
  1.0 s    d has ended: :burnt_out
  1.0 s    e has ended: :burnt_out
  1.0 s  another ring, in which a traps exits; c burns out
  2.0 s    a lives, and hears that b has ended: :burnt_out
  2.0 s    a lives, and hears that e has ended: :burnt_out
  2.0 s    b has ended: :burnt_out
  2.0 s    c has ended: :burnt_out
  2.0 s    d has ended: :burnt_out
  2.0 s    e has ended: :burnt_out
  2.0 s  a third ring, in which nobody traps exits; c has done its work, and returns
  3.0 s    c has ended: :normal
  3.0 s  a normal end takes nobody down: a, b, d, e go on
"""

POOL = """\
  0.0 s  + worker 1 <4> is ready
  0.0 s  + worker 2 <5> is ready
  0.0 s  + worker 3 <6> is ready
  0.6 s  - worker 3 <6> is lost: (RuntimeError) job 3 is too much for me
  0.6 s    job 3 waits for another worker
  0.6 s  + worker 3 <7> is ready
  0.7 s    worker 1 <4> has done job 1
  1.1 s    worker 2 <5> has done job 2
  1.5 s  - worker 1 <4> is lost: (RuntimeError) job 5 is too much for me
  1.5 s    job 5 waits for another worker
  1.5 s  + worker 1 <8> is ready
  1.6 s    worker 3 <7> has done job 4
  2.0 s    worker 1 <8> has done job 7
  2.2 s    worker 3 <7> has done job 3
  2.4 s    worker 2 <5> has done job 6
  2.8 s  - worker 1 <8> is lost: (RuntimeError) job 5 is too much for me
  2.8 s  ! job 5 has cost 2 workers and is given up
  2.8 s  + worker 1 <9> is ready
  2.8 s  all jobs are settled; the pool has lost 3 workers, and is complete
"""

ESCALATION = """\
  0.0 s  + sensor <5> started
  0.0 s  + unit <4> started
  0.5 s  - sensor <5> ended: (RuntimeError) the cable is loose
  0.5 s  + sensor <6> started
  1.0 s  - sensor <6> ended: (RuntimeError) the cable is loose
  1.0 s  + sensor <7> started
  1.5 s  - sensor <7> ended: (RuntimeError) the cable is loose
  1.5 s  ! unit <4> gives up: too many restarts
  1.5 s  - unit <4> ended: :shutdown
  1.5 s  + sensor <9> started
  1.5 s  + unit <8> started
  2.0 s  - sensor <9> ended: (RuntimeError) the cable is loose
  2.0 s  + sensor <10> started
  2.5 s  - sensor <10> ended: (RuntimeError) the cable is loose
  2.5 s  + sensor <11> started
  3.0 s  - sensor <11> ended: (RuntimeError) the cable is loose
  3.0 s  ! unit <8> gives up: too many restarts
  3.0 s  - unit <8> ended: :shutdown
  3.0 s  ! top <3> gives up: too many restarts
  3.0 s  - top <3> ended: :shutdown
  3.0 s  main hears that the top has ended: :shutdown; there is nobody above it
"""


def play(main: Callable[[], Awaitable[None]]) -> None:
    """Run a demo on a clock that jumps."""

    async def in_runtime() -> None:
        async with open_runtime():
            await main()

    trio.run(in_runtime, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize(
    ("main", "story"),
    [
        pytest.param(pipeline.main, PIPELINE, id="pipeline"),
        pytest.param(circuit.main, CIRCUIT, id="circuit"),
        pytest.param(pool.main, POOL, id="pool"),
        pytest.param(escalation.main, ESCALATION, id="escalation"),
    ],
)
@pytest.mark.parametrize("_", range(5))
def test_a_story_is_always_the_same(
    main: Callable[[], Awaitable[None]],
    story: str,
    _: int,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    play(main)
    assert capsys.readouterr() == (story, "")
    assert not caplog.records
    assert logging.getLogger("phxactor").level == logging.NOTSET
    assert not exited.handlers


def test_perform_says_that_it_is_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        Story().tell("once upon a time")

    perform(main)
    assert capsys.readouterr().out == "  0.0 s  once upon a time\nthe end\n"
