"""The published network, beside a server whose front end is SciPy's functions one after another: what a site would write."""

from tests.benchmarks.windows import case

CASE = case("windows_scipy", "paper", "scipy", "SciPy's filters and STFT")
