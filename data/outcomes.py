"""The five ways an analysis may end, and the refusal of an input that leads to one of them.

Every analysis ends in a typed outcome, never in an empty list by accident (DECISIONS 4).
"""

from typing import Literal

from lineage.refused import Refused

Outcome = Literal["completed", "completed_with_abstentions", "not_evaluable", "failed_retryable", "failed_permanent"]

CODES = (
    "corrupt", "truncated", "unsupported_format", "no_signal", "discontinuous", "montage_missing",
    "unit_suspect", "rate_too_low", "too_short", "outside_recording", "age_unknown", "age_out_of_scope", "flat",
    "clipped", "ood", "no_person", "view_lost", "no_pose_estimator", "no_approved_model",
)  # fmt: skip


class Refusal(Refused):
    """An input that cannot be evaluated: a code of `CODES`, and a reason with value, limit and next step.

    The reason is shown to people and written to logs, so it never holds patient data: no names, no header
    text, no paths. ValueError for a code that is not one of `CODES`.
    """

    def __init__(self, code: str, reason: str):
        if code not in CODES:
            raise ValueError(f"unknown outcome code {code!r}, expected one of {', '.join(CODES)}")
        super().__init__(code, reason)  # both, so that a refusal survives the way out of a worker process
        self.code, self.reason = code, reason

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"
