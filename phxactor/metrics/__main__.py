"""`python -m phxactor.metrics > phxactor.json`: the dashboard for Grafana."""

from __future__ import annotations

import sys

from phxactor.metrics import dashboard

sys.stdout.write(dashboard())
