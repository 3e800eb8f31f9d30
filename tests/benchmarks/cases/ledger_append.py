"""A line added by itself, as the service adds one for every answer."""

from tests.benchmarks.appending import case

CASE = case("ledger_append", "a line added with its lineage and payload, each flushed to the disk", 1000, 1, 20)
