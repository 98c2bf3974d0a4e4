"""Scenarios of our own: what the zoo can do and no transcript shows, answered as Phoenix 1.8.12 does.

Where phxactor means to differ, the scenario says so.
"""

from __future__ import annotations

from typing import Final

from tests.conformance.scenarios.bad import BAD, HTTP
from tests.conformance.scenarios.connections import CONNECTIONS
from tests.conformance.scenarios.custom import CUSTOM
from tests.conformance.scenarios.ends import ENDS, TERMINATES
from tests.conformance.scenarios.happenings import EVENTS
from tests.conformance.scenarios.joins import JOINS
from tests.conformance.scenarios.leaves import LEAVES
from tests.conformance.scenarios.odd import ODDITIES
from tests.conformance.scenarios.version_1 import VERSION_1

MORE: Final = [*JOINS, *LEAVES, *EVENTS, *ENDS, *TERMINATES, *CUSTOM, *VERSION_1, *BAD, *ODDITIES, *CONNECTIONS, *HTTP]
