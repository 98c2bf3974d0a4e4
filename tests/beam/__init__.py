"""Random programs of processes, played on this runtime and on the BEAM: both must be seen to do the same.

The programs are those of the oracle (`tests.oracle`), written anew from a seed; `elixir/` plays them on the BEAM.
What the BEAM itself does in more than one way, depending on the schedule, is left out. `docs/beam.md` tells more.

    python -m tests.beam --seed 1 --count 2000
"""
