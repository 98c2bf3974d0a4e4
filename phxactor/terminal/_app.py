"""The screen of `phxactor top`: figures, the list of processes, a search, and keys."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar, Final, final

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Footer, Input, Static

from phxactor.terminal._cells import STYLES, head
from phxactor.terminal._link import News, Source
from phxactor.terminal._list import ProcessList
from phxactor.terminal._screens import ProcessScreen, Question

OFTEN: Final = 0.15
"""Fewest seconds between two windows that are asked for: the program takes 50 messages a second, and bounds them."""
STIRRED: Final = 60.0
"""Seconds between two words to the program that somebody presses keys."""
FOLDED: Final = 500
"""Rows that can be opened, and closed, by hand."""
ASLEEP: Final = "nobody has pressed a key for 15 minutes: this is how it was. Any key wakes it."
OFF: Final = "kill is off: the program mounts observer_routes() without actions=True"
AWAY: Final = "no connection; trying again. This is how it was."


@final
class Top(App[str]):
    """The screen; it returns why it has ended, if not by a key."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #figures, #heads { height: 1; padding: 0; }
    #heads { background: $surface; }
    #problem { height: auto; color: $text-error; display: none; }
    #search { height: 1; border: none; padding: 0 1; display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", key_display="/"),
        Binding("t", "sort('')", "tree"),
        Binding("m", "sort('mailbox')", "mailbox"),
        Binding("r", "sort('rate')", "rate"),
        Binding("c", "sort('cpu')", "CPU"),
        Binding("n", "sort('name')", "name"),
        Binding("s", "sort('restarts')", "restarts"),
        Binding("k", "kill", "kill"),
        Binding("p", "pause", "pause"),
        Binding("q", "quit", "quit"),
        Binding("escape", "clear", show=False),
    ]

    class Came(Message):
        """The link has told something."""

        def __init__(self, news: News) -> None:
            """Carry it."""
            super().__init__()
            self.news = news

    def __init__(self, source: Source, address: str) -> None:
        """Show what comes from the source; `address` stands in the head."""
        super().__init__()
        self.source = source
        self.address = address
        self.figures: dict[str, Any] = {}
        self.sort: str | None = None
        self.opened: dict[str, None] = {}
        self.closed: dict[str, None] = {}
        self.asked = 0
        """The number of the last view; rows of an earlier one are not shown."""
        self.planned = False
        self.stirred = time.monotonic()
        self.list = ProcessList()

    def compose(self) -> ComposeResult:
        """Make the screen."""
        yield Static(id="figures", markup=False)
        yield Static(id="problem", markup=False)
        yield Input(id="search", placeholder="name, label, function or pid", max_length=100)
        yield Static(id="heads", markup=False)
        yield self.list
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Listen to the program, and ask for what is seen."""
        self.list.focus()
        self.draw()
        self.source.listen(lambda news: self.post_message(self.Came(news)))
        self.call_after_refresh(self.look)

    def on_resize(self) -> None:
        """Fit in."""
        self.draw()
        self.ask_soon()

    async def on_event(self, event: events.Event) -> None:
        """Note that somebody is there."""
        if isinstance(event, events.Key | events.MouseEvent) and time.monotonic() - self.stirred > STIRRED:
            self.stirred = time.monotonic()
            self.problem("")
            self.source.here()
        await super().on_event(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys of the list to the list: they do nothing while something lies over it."""
        return len(self.screen_stack) < 2 or action == "quit"  # noqa: PLR2004

    # ---------------------------------------------------------------------------------------------------- asking

    def look(self) -> None:
        """Ask for the rows that are seen."""
        self.planned = False
        self.asked += 1
        first, count = self.list.window()
        self.source.look(
            {
                "view": self.asked,
                "from": first,
                "count": min(count, 200),
                "search": self.query_one("#search", Input).value,
                "sort": self.sort,
                "frozen": self.list.paused,
                "open": [*self.opened],
                "closed": [*self.closed],
            }
        )

    def ask_soon(self) -> None:
        """Ask for the rows that are seen, with all that is asked for within the next moment."""
        if not self.planned:
            self.planned = True
            self.set_timer(OFTEN, self.look)

    def on_process_list_asked(self) -> None:
        """Ask for rows that were scrolled to."""
        self.ask_soon()

    def on_process_list_folded(self, wish: ProcessList.Folded) -> None:
        """Open or close the row under the cursor."""
        row = self.list.chosen
        if row is not None and len(self.opened) + len(self.closed) < FOLDED:
            one, other = (self.opened, self.closed) if wish.is_open else (self.closed, self.opened)
            other.pop(row.key, None)
            one[row.key] = None
            self.look()

    # --------------------------------------------------------------------------------------------------- showing

    def on_top_came(self, came: Came) -> None:
        """Show what the program has told."""
        payload = came.news.payload
        match came.news.kind:
            case "summary":
                self.figures = {**payload}
                self.draw()
            case "rows" if payload.get("view") == self.asked:
                self.list.show(payload["total"], payload["from"], payload["rows"])
            case "process":
                self.show_process(payload)
            case "gone":
                self.show_process({"number": payload["number"], "gone": payload["reason"]})
            case "done":
                self.notify(f"killed <{payload['number']}>")
            case "refused":
                self.notify(str(payload["reason"]), severity="error")
            case "away":
                self.problem(AWAY)
            case "connected":
                self.problem("")
            case "idle":
                self.problem(ASLEEP)
                self.stirred = -STIRRED
            case "failed":
                self.exit(str(payload["reason"]), return_code=1)

    def show_process(self, told: Mapping[str, Any]) -> None:
        """Show what is known of a process, if that is what the screen shows."""
        screens = [one for one in self.screen_stack if isinstance(one, ProcessScreen)]
        if screens and screens[-1].number == told.get("number"):
            screens[-1].show(told)

    def problem(self, text: str) -> None:
        """Show a line about the connection, or none."""
        line = self.screen_stack[0].query_one("#problem", Static)
        line.update(text)
        line.display = bool(text)

    def draw(self) -> None:
        """Draw the figures and the heads of the columns."""
        base = self.screen_stack[0]
        base.query_one("#figures", Static).update(Text.assemble(*self.summary(), no_wrap=True, overflow="ellipsis"))
        heads = [(text, STYLES[style]) for text, style in head(self.size.width - 1, self.sort)]
        base.query_one("#heads", Static).update(Text.assemble(*heads, no_wrap=True))

    def summary(self) -> list[tuple[str, str]]:
        """Return the line of figures."""
        known, program = self.figures, self.source.summary
        parts = [(str(program.get("program", "")) or self.address, STYLES["bold"])]
        if self.list.paused:
            parts.append(("  paused", STYLES["heavy"]))
        for name, key in (("processes", "processes"), ("waiting", "messages"), ("connections", "connections")):
            if key in known:
                parts.append((f"  {name} {known[key]:,}", ""))
        bad = [name for name in ("crashes", "restarts") if name in known]
        parts += [(f"  {name} {known[name]:,}", STYLES["used"] if known[name] else "") for name in bad]
        if "lag" in known:
            parts.append((f"  lag {known['lag'] * 1000:.0f} ms", ""))
        if known.get("memory"):
            parts.append((f"  {known['memory'] / 1e6:,.0f} MB", ""))
        return [*parts, (f"  {self.address}", STYLES["dim"])]

    # ------------------------------------------------------------------------------------------------------ keys

    def action_sort(self, by: str) -> None:
        """Sort by a column, the most first, or show the tree."""
        self.sort = by or None
        self.list.flat = bool(by)
        self.list.forget()
        self.draw()
        self.look()

    def action_search(self) -> None:
        """Go to the search."""
        search = self.query_one("#search", Input)
        search.display = True
        search.focus()

    def action_clear(self) -> None:
        """Search for nothing any more, and go back to the list."""
        search = self.query_one("#search", Input)
        search.value = ""
        search.display = False
        self.list.focus()

    def on_input_changed(self) -> None:
        """Search as it is typed."""
        self.list.forget()
        self.ask_soon()

    def on_input_submitted(self, submitted: Input.Submitted) -> None:
        """Go back to the list of what was found."""
        submitted.input.display = bool(submitted.value)
        self.list.focus()

    def action_pause(self) -> None:
        """Hold what is shown, or go on."""
        self.list.paused = not self.list.paused
        self.draw()
        self.look()

    async def on_process_list_chosen(self) -> None:
        """Show the process under the cursor, until Escape."""
        row = self.list.chosen
        if row is not None and row.number is None:
            self.notify("this child is down: there is no process to show", severity="warning")
        elif row is not None and row.number is not None:
            self.source.open(row.number)
            await self.push_screen(ProcessScreen(row.number, row.title()), lambda _: self.source.open(None))

    async def action_kill(self) -> None:
        """Kill the process under the cursor, after a question."""
        row = self.list.chosen
        if row is not None and row.number is not None:
            await self.kill(row.number, row.title())

    async def kill(self, number: int, title: str) -> None:
        """Kill a process, after a question, if the program allows it."""

        def answered(answer: bool | None) -> None:  # noqa: FBT001 - what a question returns
            if answer:
                self.source.kill(number)

        if self.source.summary.get("actions"):
            await self.push_screen(Question(f"Kill {title} <{number}>?"), answered)
        else:
            self.notify(OFF, severity="warning")
