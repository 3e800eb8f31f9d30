"""What `ictal ablate` does: fit every declared variant of a detector on every fold, keep what it said, compare.

`runs` knows variants, folds and what is kept of them, whatever the task; a module per task (`detection`) knows how a
variant is fitted, scored and shown. None of them knows Prefect.
"""
