"""What people read of an evidence pack: its first page, the signatures as text, and how to check it."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from data.ages import describe_ages
from flows.packing.case import Case
from lineage import verify_pack
from lineage.approvals import Approval
from lineage.crate import Item
from lineage.digest import sha256_bytes
from monitoring.rehearsal import NOTICED
from validation.pages import Figure, Headline, Links, Section, Table, render_page, short

REHEARSALS = "monitoring/rehearsals.json"

READABLE = {
    "Evaluation": verify_pack.PAGE, "Model card": verify_pack.CARD, "Signatures": verify_pack.MANIFESTATIONS,
    "How to check": verify_pack.STEPS, "Lineage as a picture": verify_pack.PICTURE, "Software": verify_pack.SBOM,
}  # fmt: skip


def preview(case: Case, items: Iterable[Item]) -> str:
    """`ro-crate-preview.html`: who approved what on which evidence, first of all."""
    found = {item.path: item for item in items}
    record = case.approval.record
    simulated = bool(json.loads(found[verify_pack.REPORT].content).get("simulated"))
    gates = json.loads(found[verify_pack.GATES].content)[case.candidate["detector"]]
    passed = sum(gate["outcome"] == "pass" for gate in gates)
    youngest, oldest = record.scope.age_days
    return render_page(
        "report",
        title=f"Evidence about {case.named}",
        kind="Evidence pack (RO-Crate)",
        lead="Everything that stands behind one model, with what is needed to check it without the platform that made it.",
        simulated=simulated,
        headline=_headline(case),
        facts={
            "Model (SHA-256)": f"{case.digest[:10]}…",
            "Sites": ", ".join(record.scope.sites),
            "Ages": describe_ages(youngest, oldest),
            "Approved until": f"{record.not_after:%Y-%m-%d %H:%M} UTC",
            "Gates passed": f"{passed} of {len(gates)}",
            "Signatures": len(case.approval.signatures),
        },
        beside=Links(READABLE),
        sections=[
            _signatures(case.approval),
            _gates(case.approval, gates),
            _leakage(json.loads(found[verify_pack.LEAKAGE].content)),
            _rehearsals(json.loads(found[REHEARSALS].content)),
            _lineage(found[verify_pack.PICTURE].content.decode()),
            _ledger(case),
            _contents(found.values()),
            _checking(),
        ],
        provenance={
            "model": case.digest,
            "approval record": record.digest,
            **record.evidence,
            "ledger root": case.proven.checkpoint.root,
            "platform key": case.proven.checkpoint.key_id,
            "lock of the environment": case.training.software.lock_digest,
            "code of the training (commit)": case.training.software.git_commit,
        },
        made_at=_minute(case.proven.checkpoint.at),
    )


def signatures_text(named: str, approval: Approval) -> str:
    """What each signature shows (21 CFR 11.50): printed name, date and time, and meaning."""
    record = approval.record
    lines = [
        f"SIGNATURES UNDER THE APPROVAL OF {named}",
        "",
        f"Model bundle    SHA-256 {record.bundle_digest}",
        f"Record          SHA-256 {record.digest}",
        f"Sites           {', '.join(record.scope.sites)}",
        f"Ages            {describe_ages(*record.scope.age_days)}",
        f"Montages        {', '.join(record.scope.montages)}",
        f"In force        {_minute(record.not_before)} to {_minute(record.not_after)}",
        f"Proposed by     {record.author}, who signed neither review nor approval",
        "",
    ]
    for deviation in record.deviations:
        lines.append(f"Deviation       {deviation.gate}: {deviation.justification}")
    for number, s in enumerate(approval.signatures, start=1):
        lines += [
            "",
            f"{number}.  {s.printed_name}",
            f"    meaning       {s.meaning}",
            f"    UTC           {s.utc_time}",
            f"    local time    {s.local_time}",
            f"    role, id      {s.role}, {s.person_id}",
            f"    record        {s.record_digest}",
            f"    key           {s.key_id}",
        ]
    return "\n".join(lines) + "\n"


def steps_text(named: str, key_id: str) -> str:
    """How to check the pack with the verifier, and by hand where the verifier itself is not trusted."""
    return f"""HOW TO CHECK THIS EVIDENCE PACK ({named})

You need the platform's public key from somebody you trust, not from this pack. Its name is the SHA-256 of its DER
bytes; the key in this pack has the name
    {key_id}
Ask the platform's operator over another channel whether that is theirs.

WITH THE VERIFIER (Python 3.9 or later; `pip install cryptography` for the signatures; no network)
    python verify.py --key platform.pub             in the unpacked folder
    python verify.py PACK.zip --key platform.pub    on the zip
Exit code 0: everything is as it was packed and signed. 1: every line names an item and what is wrong with it.
verify.py is some 300 lines without anything of Ictal in it: read it first.

BY HAND, in the unpacked folder
1.  Every file is the one that was packed:
        sha256sum --check --strict MANIFEST.sha256
2.  The manifest was signed by the platform. The signature covers the manifest behind a prefix that says what it is:
        python -c "import json,base64,sys; sys.stdout.buffer.write(base64.b64decode(json.load(open('MANIFEST.sig'))['signature']))" > /tmp/sig
        ( printf 'DSSEv1 {len(verify_pack.MANIFEST_TYPE)} {verify_pack.MANIFEST_TYPE} %d ' "$(wc -c < MANIFEST.sha256)"; cat MANIFEST.sha256 ) > /tmp/signed
        openssl dgst -sha256 -verify platform.pub -signature /tmp/sig /tmp/signed
3.  What was signed is this evidence: `evidence` in approvals/approval.json names the SHA-256 of
        evaluation   evaluation/result.json        gates   evaluation/gates.json
        report       evaluation/report.json        card    model/card.md
    and, in canonical JSON (RFC 8785), of
        split        data/split.json               dataset data/manifest.json
4.  Two people signed it: approvals/signatures.txt shows who, when and with which meaning. Each signature covers, in
    canonical JSON, everything beside it in approvals/approval.json; its key is in approvals/signers.json.
5.  The ledger knows of it: each entry in ledger/receipts.json leads through `path` to the root in
    ledger/checkpoint.json by RFC 6962: leaf SHA-256(0x00, canonical entry), node SHA-256(0x01, left, right).
6.  The bundle is whole: model/bundle/model.sig is an OpenSSF model signature (DSSE over an in-toto statement). With
    the weights at hand: model_signing verify key --public_key platform.pub --signature model.sig BUNDLE

What this does not show: that the figures are good enough for your patients. Data are pseudonymised, not anonymous.
"""


def _headline(case: Case) -> Headline:
    record, at = case.approval.record, case.proven.checkpoint.at
    against = case.against(at)
    people = Counter(s.person_id for s in case.approval.signatures)
    sentence = f"{len(people)} people signed {case.named} for {', '.join(record.scope.sites)}."
    if against:
        return Headline("fail", f"{sentence} It may not be used now.", tuple(against), "Not in force")
    named = tuple(f"Deviation for {d.gate}: {d.justification}" for d in record.deviations)
    if named:
        return Headline(
            "unsure", f"{sentence} {len(named)} gates that did not pass were named.", named, "Approved by deviation"
        )
    return Headline("pass", f"{sentence} Every gate passed.", (), "Approved")


def _signatures(approval: Approval) -> Section:
    rows = [(s.printed_name, s.role, s.meaning, s.utc_time, s.local_time, short(s.key_id)) for s in approval.signatures]
    return Section(
        "Who signed",
        (
            "Each signature covers the digest of one record, which names the model, its evidence and its scope.",
            Table("Signatures", ("Printed name", "Role", "Meaning", "UTC", "Local time", "Key"), rows),
        ),
    )


def _gates(approval: Approval, gates: list[dict[str, Any]]) -> Section:
    said = {d.gate: d.justification for d in approval.record.deviations}
    marks = {"pass": "pass", "fail": "fail"}
    rows = [(g["name"], g["outcome"].replace("_", " "), g["reason"], said.get(g["name"], "")) for g in gates]
    table = Table(
        "Gates", ("Gate", "Outcome", "Because", "Deviation"), rows,
        marks=tuple(marks.get(g["outcome"], "unsure") for g in gates),
    )  # fmt: skip
    return Section(
        "Gates", ("No flag overrides a gate: one that did not pass needs a deviation that both signers saw.", table)
    )


def _leakage(audit: dict[str, Any]) -> Section:
    rows = [(o["guard"].replace("_", " "), o["outcome"], o["reason"]) for o in audit["outcomes"]]
    marks = tuple({"pass": "pass", "leak": "fail"}.get(o["outcome"], "unsure") for o in audit["outcomes"])
    said = (
        "Every guard looked and found nothing." if audit["clean"] else "Not every guard could look and found nothing."
    )
    return Section("Leakage audit", (said, Table("Guards", ("Guard", "Outcome", "Because"), rows, marks=marks)))


def _rehearsals(sites: dict[str, Any]) -> Section:
    """Of each site when its rehearsal was made and how surely faults would be noticed, or that there is none."""
    if not sites:
        return Section("Rehearsals of drift", ("No site of this approval is known here by name.",))
    rows = [_rehearsal(site, one) for site, one in sites.items()]
    columns = ("Site", "Rehearsed", "Noticed in 4 of 5 weeks", "Missed more often", "Not evaluable")
    marks = tuple("unsure" if isinstance(one, str) else "" for one in sites.values())
    return Section("Rehearsals of drift", (Table("Faults put into the sites' recordings", columns, rows, marks=marks),))


def _rehearsal(site: str, one: Any) -> tuple[str, ...]:
    if isinstance(one, str):
        return site, one, "", "", ""
    faults = one["table"]["faults"]
    measured = [fault for fault in faults if fault["state"] == "measured"]
    noticed = [fault["fault"] for fault in measured if fault["power"] >= NOTICED]
    missed = [fault["fault"] for fault in measured if fault["power"] < NOTICED]
    others = [fault["fault"] for fault in faults if fault["state"] != "measured"]
    return site, one["at"][:10], *(", ".join(names) or "none" for names in (noticed, missed, others))


def _lineage(svg: str) -> Section:
    caption = "Read upwards: each arrow leads from a thing to what it came from. Twelve digits of a digest are enough to recognise it."
    return Section("Where it came from", (Figure(Markup(svg), caption),))


def _ledger(case: Case) -> Section:
    proven = case.proven
    told = [e for e in proven.entries if e.type != "recording.registered"]
    rows = [
        (e.seq, _minute(e.recorded_at), e.type.value, e.actor.printed_name or e.actor.id, e.subjects[0].id, e.reason)
        for e in told
    ]
    left = len(proven.entries) - len(told)
    note = f"{left} registrations of recordings are in {verify_pack.RECEIPTS} as well." if left else ""
    said = f"{len(proven.entries)} entries, each with its path to the root that the platform signed at {_minute(proven.checkpoint.at)}."
    columns = ("Entry", "Recorded", "What", "By", "About", "Reason")
    return Section("What the ledger says", (said, Table("Entries", columns, rows, note)))


def _contents(items: Iterable[Item]) -> Section:
    shown = [i for i in items if not i.path.startswith(verify_pack.PAYLOADS)]
    rows = [(i.path, i.title, len(i.content), short(sha256_bytes(i.content))) for i in shown]
    note = f"Besides, in {verify_pack.PAYLOADS}, what the ledger's entries say in full; and {verify_pack.MANIFEST} with its signature."
    return Section("What is in this pack", (Table("Files", ("File", "What it is", "Bytes", "SHA-256"), rows, note),))


def _checking() -> Section:
    return Section(
        "How to check it",
        (
            "Take the platform's public key from somebody you trust, unpack, and run: python verify.py --key platform.pub",
            "It needs no network and nothing of Ictal. The steps by hand stand in HOW-TO-VERIFY.txt.",
        ),
    )


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
