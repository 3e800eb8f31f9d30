"""What was recorded: recordings, annotations, cohorts, and the one front end that prepares signals for everybody.

Home of mne, edfio (and, later, av). May import `lineage` and nothing else of ours.
"""
