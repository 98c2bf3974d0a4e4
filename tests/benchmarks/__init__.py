"""Tests of the benchmarks: the sums, and that each server is spoken to rightly."""
