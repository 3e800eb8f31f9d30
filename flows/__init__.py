"""What happens, in which order, and on whose authority: the verbs of Ictal, and its command line.

Home of prefect (and of the dvc command). May import every package of ours; none imports it.
"""
