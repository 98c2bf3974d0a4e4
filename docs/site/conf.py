"""How Sphinx makes the documentation: `make docs`.

Its pages are the Markdown files of the whole project, the README and those of the rooms too, as they stand: what links
in a checkout links on the site. The reference comes from the docstrings of what is public (docs/api).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import phxactor

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CONTENTS: Final = {
    "Begin": ["README", "docs/tutorial"],
    "Serve clients": [
        "docs/channels",
        "docs/presence",
        "docs/custom-channels",
        "docs/sockets",
        "docs/endpoint",
        "docs/http",
        "docs/tokens",
        "docs/sessions",
        "docs/close-codes",
        "docs/client",
    ],
    "Processes": [
        "docs/processes",
        "docs/lifetime",
        "docs/threads",
        "docs/libraries",
        "docs/otp-semantics",
        "docs/presence-rules",
        "docs/differences",
        "docs/beam",
    ],
    "Test": ["docs/testing", "docs/crash-testing"],
    "Run it": [
        "docs/command-line",
        "docs/asgi",
        "docs/cluster",
        "docs/distribution",
        "docs/workers",
        "docs/redis",
        "docs/sharded",
        "docs/cluster-testing",
        "docs/emitter",
        "docs/envelope",
        "docs/deploying",
        "docs/observer",
        "docs/logging",
        "docs/events",
        "docs/metrics",
        "docs/traces",
        "docs/garbage",
        "docs/benchmarks",
    ],
    "Come from": ["docs/from-phoenix", "docs/from-django-channels", "docs/from-python-socketio"],
    "Reference": ["docs/api/index"],
    "The project": ["docs/design", "CHANGELOG", "CONTRIBUTING", "SECURITY", "phxactor/*/README", "benchmarks/*"],
}
"""The pages by part, for the bar at the side. On GitHub the table of docs/index.md stands in for it."""

_CODE: Final = re.compile(r"(?<![`:])`([^`]+)`(?!`)")

project = "phxactor"
version = release = phxactor.__version__
root_doc = "docs/index"
include_patterns = [f"{page}.md" for pages in CONTENTS.values() for page in pages] + ["docs/*.md", "docs/api/*.md"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
# An annotation of an attribute's or a stranger's name may be that of several things (`type`), and then is not linked.
suppress_warnings = ["ref.python"]

myst_heading_anchors = 4  # made as GitHub makes them

autodoc_member_order = "groupwise"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
add_module_names = False

html_theme = "furo"
html_title = f"phxactor {version}"
html_extra_path = ["root"]  # the first page of the site leads to docs/index.html
html_show_copyright = False


def write_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    """Add the bar at the side to the first page."""
    if page == root_doc:
        for caption, pages in CONTENTS.items():
            listed = "\n".join(f"/{one}" for one in pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n\n{listed}\n```\n"


def read_as_markdown(_app: Sphinx, _what: str, _name: str, _item: object, _options: object, lines: list[str]) -> None:
    """Let a docstring keep Markdown's marks: `code` in single backticks, and indented lines that are code."""
    written: list[str] = []
    before = ""
    for paragraph in "\n".join(lines).split("\n\n"):
        if not paragraph.startswith("    "):
            written.append(_CODE.sub(r"``\1``\\ ", paragraph))
        elif before.startswith(("    ", "..", ":")):
            written.append(paragraph)
        else:
            written += ["::", paragraph]
        before = paragraph
    lines[:] = "\n\n".join(written).split("\n")


def setup(app: Sphinx) -> None:
    """Register both with Sphinx."""
    app.connect("source-read", write_contents)
    app.connect("autodoc-process-docstring", read_as_markdown, priority=400)
