"""How the tests are spread over processes (`make unit`): one by one, but some files as a whole.

The tests of those files share something costly: a suite that is played once, a server that they all talk to, a browser.
"""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadScopeScheduling

TOGETHER: Final = {
    "tests/autobahn/test_suite.py": "autobahn",
    "tests/browser/test_chat.py": "browser",
    "tests/browser/test_phoenix_versions.py": "browser",
    "tests/client/test_zoo.py": "client",
    "tests/conformance/test_transcripts.py": "transcripts",
    "tests/longpoll/test_browser.py": "browser",
    "tests/longpoll/test_phoenix_js.py": "phoenix.js",
    "tests/test_phoenix_js.py": "phoenix.js",
}
"""Files, and by what name those that stay together are known."""


class Spreading(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Hands out the groups first, then each test to the process that has the least to do."""

    def _split_scope(self, nodeid: str) -> str:
        """Name the group of a test, which may be alone in it; the way in that pytest-xdist documents."""
        return TOGETHER.get(nodeid.partition("::")[0], nodeid)
