"""The published network, beside a server that has our own front end."""

from tests.benchmarks.windows import case

CASE = case("windows_paper", "paper", "ours", "our front end")
