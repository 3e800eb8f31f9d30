"""How a seizure is recognised: detectors, their training, their decisions and the bundles they travel in.

Home of torch. May import `lineage` and `data`.
"""
