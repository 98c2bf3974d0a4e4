"""The list of processes: as long as the program has rows, of which those that are seen are here."""

from __future__ import annotations

from typing import Any, ClassVar, Final, final

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from phxactor.terminal._cells import STYLES, Row, line

MARGIN: Final = 30
"""Rows above and below those that are seen which are asked for too."""
_STYLES: Final = {name: Style.parse(text) for name, text in STYLES.items()}
_CURSOR: Final = Style.parse("reverse")


@final
class ProcessList(ScrollView, can_focus=True):
    """The list. It posts `Asked` when it needs other rows, `Chosen` for Enter, and `Folded` for an arrow."""

    DEFAULT_CSS = "ProcessList { height: 1fr; overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-100000000)", show=False),
        Binding("end", "move(100000000)", show=False),
        Binding("right", "fold(True)", show=False),
        Binding("left", "fold(False)", show=False),
        Binding("enter", "choose", "detail"),
    ]

    @final
    class Asked(Message):
        """Other rows are needed."""

    @final
    class Chosen(Message):
        """The row under the cursor shall be shown."""

    @final
    class Folded(Message):
        """The row under the cursor shall be opened, or closed."""

        def __init__(self, *, is_open: bool) -> None:
            """Say which."""
            super().__init__()
            self.is_open = is_open

    def __init__(self) -> None:
        """Make an empty list."""
        super().__init__(id="list")
        self.rows: dict[int, Row] = {}
        """Rows by their place: those of the last frame, or all since the list was paused."""
        self.total = 0
        self.cursor = 0
        self.flat = False
        self.paused = False

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        return self.rows.get(self.cursor)

    def window(self) -> tuple[int, int]:
        """Return the place of the first row that is needed, and how many are."""
        first = max(0, self.scroll_offset.y - MARGIN)
        return first, self.scroll_offset.y + max(self.size.height, 1) + MARGIN - first

    def show(self, total: int, first: int, rows: list[list[Any]]) -> None:
        """Take the rows of a frame. While the list is paused, those that are there stay as they are."""
        kept = self.chosen
        came = {first + place: Row(*values) for place, values in enumerate(rows)}
        self.rows = {**came, **self.rows} if self.paused else came
        self.total = total
        self.virtual_size = Size(self.scrollable_content_region.width, total)
        if kept is not None and not self.paused:
            self.cursor = next((place for place, row in came.items() if row.key == kept.key), self.cursor)
        self.cursor = max(0, min(self.cursor, total - 1))
        self.refresh()

    def forget(self) -> None:
        """Show another order: from its beginning."""
        self.rows, self.cursor = {}, 0
        self.scroll_to(y=0, animate=False)

    def render_line(self, y: int) -> Strip:
        """Draw a row, or an empty line while it has not come."""
        place, width = self.scroll_offset.y + y, self.scrollable_content_region.width
        row = self.rows.get(place)
        if row is None:
            return Strip.blank(width, self.rich_style)
        parts = line(row, width, flat=self.flat)
        if place == self.cursor and self.has_focus:
            return Strip([Segment("".join(text for text, _ in parts), self.rich_style + _CURSOR)], width)
        return Strip([Segment(text, self.rich_style + _STYLES[style]) for text, style in parts], width)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for rows that are not here."""
        super().watch_scroll_y(old_value, new_value)
        top = round(new_value)
        seen = range(top, min(top + self.size.height, self.total))
        if any(place not in self.rows for place in seen):
            self.post_message(self.Asked())

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.cursor = max(0, min(self.cursor + by, self.total - 1))
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False)
        self.refresh()

    def action_page(self, by: int) -> None:
        """Move the cursor by what is seen."""
        self.action_move(by * max(1, self.size.height - 1))

    def action_fold(self, is_open: bool) -> None:  # noqa: FBT001 - an argument of a binding
        """Open or close the row under the cursor; on a closed one, Left goes to the row above it."""
        row = self.chosen
        if row is None or self.flat:
            return
        if not is_open and not row.opened:
            above = [place for place, one in self.rows.items() if place < self.cursor and one.depth < row.depth]
            self.action_move(max(above) - self.cursor if above else 0)
        elif row.children and bool(row.opened) is not is_open:
            self.post_message(self.Folded(is_open=is_open))

    def action_choose(self) -> None:
        """Show the process under the cursor."""
        if self.chosen is not None:
            self.post_message(self.Chosen())
