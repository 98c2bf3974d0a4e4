"""What lies over the list: one process, and the question before it is killed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Label, Static

from phxactor.terminal._process import describe


@final
class ProcessScreen(Screen[None]):
    """One process; Escape goes back to the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,left,enter", "close", "back"),
        Binding("k", "kill", "kill"),
        Binding("q", "app.quit", "quit"),
    ]
    CSS = "ProcessScreen Static { padding: 0 1; }"

    def __init__(self, number: int, title: str) -> None:
        """Show the process with this number."""
        super().__init__()
        self.number = number
        self.called = title
        self.told: dict[str, Any] = {}

    def compose(self) -> ComposeResult:
        """Make a text that scrolls."""
        with VerticalScroll():
            yield Static(id="process", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Draw what is known so far."""
        self.show({})

    def show(self, told: Mapping[str, Any]) -> None:
        """Draw what has come."""
        self.told |= told
        self.query_one("#process", Static).update(describe(f"{self.called} <{self.number}>", self.told))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()  # type: ignore[unused-awaitable] # a screen cannot wait for its own end

    async def action_kill(self) -> None:
        """Have the app ask first."""
        await self.app.kill(self.number, self.called)  # type: ignore[attr-defined]


@final
class Question(ModalScreen[bool]):
    """A question to be answered by y or n; Escape and Enter are no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape,enter", "answer(False)", "no"),
    ]
    CSS = """
    Question { align: center middle; }
    Question Label { padding: 1 3; border: round $error; background: $surface; max-width: 90%; }
    """

    def __init__(self, text: str) -> None:
        """Ask this."""
        super().__init__()
        self.text = text

    def compose(self) -> ComposeResult:
        """Make the question."""
        yield Label(f"{self.text}\n\ny: yes   n: no", markup=False)

    def action_answer(self, answer: bool) -> None:  # noqa: FBT001 - an argument of a binding
        """Go back with the answer."""
        self.dismiss(answer)  # type: ignore[unused-awaitable] # as above
