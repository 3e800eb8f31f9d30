"""Many lines added in one transaction, as a cohort's recordings are."""

from tests.benchmarks.appending import case

AT_ONCE = 5000
CASE = case(
    "ledger_append_many",
    f"{AT_ONCE:,} lines with their lineage and payloads, in one transaction",
    AT_ONCE,
    AT_ONCE,
    200,
)
