"""What each operation costs, in executed bytecode instructions: a number that no other load on the machine moves.

    python -m tests.cost            show what is counted now, beside what is recorded for this Python
    python -m tests.cost --record   record it

A count that grows by more than 30 % fails a test, so that what makes phxactor slower is a decision. One that shrinks as
much fails too: record it, or the next growth hides in the gap. C code and the kernel are
not seen: benchmarks/ are for that.
"""
