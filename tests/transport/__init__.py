"""Tests of `phxactor.transport`."""
