"""Tests of `phxactor.endpoint`."""
