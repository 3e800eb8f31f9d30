"""Beside the obvious server on as many cores as ours takes: one worker on each, which share nothing."""

from tests.benchmarks.windows import case

CASE = case("windows_two_workers", "demo", "ours", "our front end", workers=2, faster=1)
