"""Tests of processes: virtual time, no sleeping, the rules of the specification by their ids.

async with open_runtime():     makes the test's body a process, `main`
Actor()                        a process that does what the test tells it, and keeps its mail
await settle()                 every process has done what it can do without time passing
"""
