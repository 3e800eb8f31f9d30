"""The small network of the demo, beside a server that has our own front end: there is least to be gained here."""

from tests.benchmarks.windows import case

CASE = case("windows_service", "demo", "ours", "our front end")
