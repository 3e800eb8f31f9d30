"""Cohorts: the patients, recordings and expert annotations of one place, as a BIDS folder on disk.

`read_cohort` and `import_cohort` take any; `published` and its modules (helsinki, chbmit, siena, seizeit2, tusz) fetch and
convert those that others published. All of them read files only and know nothing of detectors.
"""
