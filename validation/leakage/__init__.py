"""Guards that stop a study in which the test has been seen before: they block, they do not warn.

Each guard raises `Leak` naming the pair that breaks its promise. `audit` runs all of them, keeps every outcome
for the ledger and then blocks. What could not be looked at is `unknown`, and unknown is never clean.
"""

from validation.leakage.audit import GUARDS, Guard, GuardOutcome, LeakageAudit, audit, inspect
from validation.leakage.duplicates import Copy, copies
from validation.leakage.features import Features, sample_features
from validation.leakage.fingerprints import Fingerprints, fingerprint
from validation.leakage.identity import Likeness, identity_embedding, likeness
from validation.leakage.leak import BrokenPromise, Leak, Unknown
from validation.leakage.study import (
    FITTED,
    Disclosure,
    FittedOn,
    HoldoutUse,
    Opening,
    Pretraining,
    Study,
    Windows,
)

__all__ = [
    "FITTED", "GUARDS", "BrokenPromise", "Copy", "Disclosure", "Features", "Fingerprints", "FittedOn", "Guard",
    "GuardOutcome", "HoldoutUse", "Leak", "LeakageAudit", "Likeness", "Opening", "Pretraining", "Study", "Unknown",
    "Windows", "audit", "copies", "fingerprint", "identity_embedding", "inspect", "likeness", "sample_features",
]  # fmt: skip
