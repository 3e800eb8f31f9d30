"""What Ictal costs beside the obvious way of doing the same: `python -m tests.benchmarks`, or `make bench`.

Each case runs both in turn on the same data, every run in a fresh process of as many threads as the case says (one
where it says nothing), checks that they give the same answer, and states how many times faster Ictal is, with the
spread over rounds and the peak memory. A new case is
one file in `cases/` with a `CASE`. Times are of the machine that ran them; nothing here is asserted in the tests.
"""
