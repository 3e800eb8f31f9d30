"""The hour of `hour_upload` with the published network."""

from tests.benchmarks.cases.hour_upload import case

CASE = case("hour_paper", "paper")
