"""What must be true of recordings, annotations and cohorts before anybody learns or concludes anything from them.

`eeg`, `annotations`, `cohort` list the expectations; `suites` lets Great Expectations judge them; `verdicts` turns
failures into accepted or quarantined recordings, by name and with reasons; `page` shows them.
"""

from validation.checks.annotations import events_as_written, events_table
from validation.checks.page import checks_page
from validation.checks.suites import CheckBroken
from validation.checks.verdicts import CheckRun, Limits, Reason, Verdict, check_recordings, inspect

__all__ = [
    "CheckBroken",
    "CheckRun",
    "Limits",
    "Reason",
    "Verdict",
    "check_recordings",
    "checks_page",
    "events_as_written",
    "events_table",
    "inspect",
]
