"""A receipt proves with one public key, and without the ledger, that an entry was written."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lineage import dsse
from lineage.ledger import Actor, Checkpoint, Draft, Ledger, Subject
from lineage.receipts import Receipt, issue, verify_receipt

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
PEM = dsse.pem_of(KEY.public_key())
OTHER_PEM = dsse.pem_of(ec.generate_private_key(ec.SECP256R1()).public_key())


def prediction(number: int) -> Draft:
    subject = Subject("prediction", f"prediction-{number}", f"{number:064x}")
    return Draft("prediction.issued", Actor("serving", site="demo-north"), (subject,), payload={"number": number})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.append_many([prediction(i) for i in range(11)], now=NOW)
    return ledger


def test_every_entry_has_a_receipt_that_verifies(ledger: Ledger) -> None:
    for entry in ledger.entries():
        verification = verify_receipt(issue(ledger, entry, KEY, NOW).to_json(), PEM)
        assert (verification.problems, verification.size) == ([], 11)


def test_a_receipt_still_verifies_after_the_ledger_has_grown(ledger: Ledger) -> None:
    receipt = issue(ledger, ledger.entry(3), KEY, NOW).to_json()
    ledger.append_many([prediction(i) for i in range(11, 40)], now=NOW + timedelta(hours=1))
    assert verify_receipt(receipt, PEM).ok


def test_a_receipt_holds_no_payload(ledger: Ledger) -> None:
    """What is said in full can be erased; a receipt in somebody's mail cannot."""
    assert '"number"' not in issue(ledger, ledger.entry(3), KEY, NOW).to_json()


def move_signature(parts: dict[str, Any]) -> None:
    parts["checkpoint"]["signature"] = dsse.sign(KEY, "application/vnd.ictal.revocation+json", b"{}")


FORGED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another reason": (lambda r: r["entry"].update(reason="other"), "not among"),
    "another place": (lambda r: r["entry"].update(seq=4), "not among"),
    "a place outside": (lambda r: r["entry"].update(seq=11), "not among"),
    "an earlier time": (lambda r: r["entry"].update(recorded_at="2026-02-01T12:00:00.000000Z"), "not among"),
    "another site": (lambda r: r["entry"]["actor"].update(site="demo-south"), "not among"),
    "an unknown field": (lambda r: r["entry"].update(approved=True), "not a receipt"),
    "a shorter path": (lambda r: r["path"].pop(), "not among"),
    "a longer path": (lambda r: r["path"].append("0" * 64), "not among"),
    "another root": (lambda r: r["checkpoint"].update(root="0" * 64), "signature that does not belong"),
    "another size": (lambda r: r["checkpoint"].update(size=12), "signature that does not belong"),
    "a size that is no number": (lambda r: r["checkpoint"].update(size="11"), "not a receipt"),
    "a later time": (lambda r: r["checkpoint"].update(at="2027-03-01T12:00:00.000000Z"), "signature that does not"),
    "a signature of something else": (move_signature, "signature that does not belong"),
    "no signature": (lambda r: r["checkpoint"].update(signature=""), "signature that does not belong"),
    "no checkpoint": (lambda r: r.pop("checkpoint"), "not a receipt"),
    "no path": (lambda r: r.pop("path"), "not a receipt"),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_receipt_is_found(ledger: Ledger, case: str) -> None:
    parts = json.loads(issue(ledger, ledger.entry(3), KEY, NOW).to_json())
    assert verify_receipt(json.dumps(parts), PEM).ok
    forge, reason = FORGED[case]
    forge(parts)
    verification = verify_receipt(json.dumps(parts), PEM)
    assert not verification.ok
    assert any(reason in problem for problem in verification.problems), verification.problems


def test_a_receipt_under_another_key_is_found(ledger: Ledger) -> None:
    receipt = issue(ledger, ledger.entry(3), KEY, NOW).to_json()
    assert "another key" in verify_receipt(receipt, OTHER_PEM).problems[0]


def test_a_receipt_cannot_certify_what_was_recorded_later(ledger: Ledger) -> None:
    early = Checkpoint.signed(ledger.head(), KEY, NOW - timedelta(hours=1))
    receipt = Receipt(ledger.entry(3), tuple(ledger.inclusion_proof(3)), early)
    assert verify_receipt(receipt.to_json(), PEM).problems == [
        "entry 3 says it was recorded after the checkpoint that covers it"
    ]


@given(st.text(max_size=40) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
@settings(max_examples=60, deadline=None)
def test_what_is_no_receipt_is_a_problem_and_never_a_crash(text: str) -> None:
    assert not verify_receipt(text, PEM).ok


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def receipt(tmp_path_factory: pytest.TempPathFactory) -> str:
    ledger = Ledger(tmp_path_factory.mktemp("receipt") / "ledger.db")
    ledger.append_many([prediction(i) for i in range(11)], now=NOW)
    return issue(ledger, ledger.entry(3), KEY, NOW).to_json()


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_receipt_in_which_anything_is_something_else_is_a_problem_and_never_a_crash(
    receipt: str, data: st.DataObject
) -> None:
    parts = json.loads(receipt)
    place, keys = parts, ["entry", "path", "checkpoint"]
    while True:
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
    other = data.draw(JSON)
    assume(other != place[key])
    place[key] = other
    assert not verify_receipt(json.dumps(parts), PEM).ok
