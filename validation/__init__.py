"""May we believe it? Checks of what arrived, splits that cannot leak, scores with their scorer's name, gates, pages.

Home of great-expectations, timescoring and scikit-learn. May import `lineage` and `data`; nobody here decides
anything: verdicts, scores and gates are values that `flows` acts upon.
"""
