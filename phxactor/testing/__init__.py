"""The test kit: channels without ports, virtual time, and what a test leaves behind. Needs pytest and trio."""

from phxactor.testing.channel import ClientChannel
from phxactor.testing.client import Client
from phxactor.testing.connecting import admitted, connect
from phxactor.testing.patterns import exactly
from phxactor.testing.refusals import Refused, assert_refused
from phxactor.testing.settling import settle

__all__ = ["Client", "ClientChannel", "Refused", "admitted", "assert_refused", "connect", "exactly", "settle"]
