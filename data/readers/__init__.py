"""How recordings and their annotations are read from files, and written for the simulator.

`read_edf` and `write_edf` (EDF, EDF+, BDF, BDF+), `read_events` and `write_events` (SzCORE's events.tsv). Every file
ends in a `Recording`, in `Annotations`, or in a typed `Refusal`.
"""
