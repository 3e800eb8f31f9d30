"""Gates: what must hold before a challenger may replace the champion, declared beforehand, paired by patient.

`plan` (what is declared), `engine` (runs all of it), `detection`, `seizure_types`, `forecasting` (one task each),
`superiority`, `few_patients`, `envelope`, `power`. Small cohorts end without enough evidence, as they must; nobody loosens a gate.
"""

from validation.gates.detection import PAIRED, Evidence
from validation.gates.engine import run_gates
from validation.gates.envelope import Declared
from validation.gates.forecasting import ForecastEvidence
from validation.gates.gate import Gate, Outcome, passed
from validation.gates.plan import ENDPOINTS, Envelope, ForecastingPlan, GateSettings, TypingPlan
from validation.gates.seizure_types import TypingEvidence

__all__ = [
    "ENDPOINTS", "PAIRED", "Declared", "Envelope", "Evidence", "ForecastEvidence", "ForecastingPlan", "Gate",
    "GateSettings", "Outcome", "TypingEvidence", "TypingPlan", "passed", "run_gates",
]  # fmt: skip
