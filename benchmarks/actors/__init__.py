"""The same pieces of work on each system of processes or actors; `benchmarks.processes` compares them."""
