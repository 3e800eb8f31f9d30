"""Cohorts: the patients, recordings and expert annotations of one place, as a BIDS folder on disk.

`read_cohort` and `import_cohort`; both read files only and know nothing of detectors.
"""
