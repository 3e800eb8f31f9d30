"""Sites that are to get no answers for now: by the ledger's lines alone, the last of which counts."""

from lineage.entries import EntryType
from lineage.ledger import Ledger


def stopped(ledger: Ledger) -> dict[str, str]:
    """Every site that was stopped and not resumed since, with the reason that was given."""
    lines = [*ledger.entries(EntryType.DEPLOYMENT_STOPPED), *ledger.entries(EntryType.DEPLOYMENT_RESUMED)]
    found: dict[str, str] = {}
    for line in sorted(lines, key=lambda entry: entry.seq):
        for site in (subject.id for subject in line.subjects if subject.kind == "site"):
            if line.type is EntryType.DEPLOYMENT_STOPPED:
                found[site] = line.reason
            else:
                found.pop(site, None)
    return found
