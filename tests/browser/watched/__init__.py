"""A program to look at with the observer: thousands of processes, some of them busy, crashing, or slow."""
