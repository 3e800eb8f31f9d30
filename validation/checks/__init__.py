"""What must be true of recordings, annotations and cohorts before anybody learns or concludes anything from them.

`eeg`, `annotations`, `cohort` list the expectations; `suites` lets Great Expectations judge them; `verdicts` turns
failures into accepted or quarantined recordings, by name and with reasons; `page` shows them.
"""
