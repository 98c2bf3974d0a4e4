"""The oracle: random programs of processes, each with what Elixir on the BEAM was seen to do with it.

`sample.json` holds 300 of them. An interpreter plays the programs of one kind on this runtime, and must see the same.
The rules that they exercise are those of the specification (OTP semantics), ids such as X8 are rules of it.

    python -m tests.oracle FILE.json
"""
