"""The pack as RO-Crate sees it: its name, licences, the software, the people who signed, and what each of them did."""

import json
from typing import Any

from flows import evidence
from flows.packing.case import Case
from flows.published import PROVENANCE, read_provenance
from flows.records import DEVELOPMENT
from lineage import verify_pack
from lineage.crate import About
from lineage.refused import Refused

Entity = dict[str, Any]

APACHE: Entity = {
    "@id": "https://spdx.org/licenses/Apache-2.0",
    "@type": "CreativeWork",
    "name": "Apache License 2.0",
    "identifier": "Apache-2.0",
}
UNSTATED: Entity = {
    "@id": "#no-licence-stated",
    "@type": "CreativeWork",
    "name": "No licence stated",
    "description": "No licence was stated for this evidence: ask whoever gave it to you before you pass it on.",
}


def about(case: Case) -> About:
    """People are those who signed, by their printed names; nobody is named who did not."""
    proven = case.proven
    simulated = bool(json.loads(case.kept(evidence.REPORT)).get("simulated"))
    people = [_person(case, s.person_id) for s in case.approval.signatures]
    licence = APACHE if simulated else UNSTATED
    acts = _acts(case)
    platform: Entity = {
        "@id": "#ictal",
        "@type": "SoftwareApplication",
        "name": "Ictal",
        "version": case.training.software.git_commit,
        "license": {"@id": APACHE["@id"]},
    }
    described = [APACHE, licence, platform, *data_licences(case), *people, *acts]
    return About(
        name=f"Evidence about the model {case.named}",
        description=f"What stands behind the seizure model {case.named} (SHA-256 {case.digest}): evaluation, gates, leakage "
        "audit, data by digest, approvals, software and ledger entries with proofs. Data are pseudonymised."
        + (" All patients are simulated." if simulated else ""),
        published=proven.checkpoint.at,
        licence=licence["@id"],
        entities=list({entity["@id"]: entity for entity in described}.values()),
        properties={
            "creator": {"@id": "#ictal"}, "identifier": f"urn:sha256:{case.digest}",
            "mentions": [{"@id": act["@id"]} for act in acts],
        },
    )  # fmt: skip


def data_licences(case: Case) -> list[Entity]:
    """The licence of the published cohort that the model learnt from, if somebody accepted it here as it was stated;
    none for any other cohort. Refused where the model's lineage does not lead to the data that it was proposed on."""
    named = {node.digest: node.label for node in case.lineage.nodes}
    dataset = named.get(case.candidate["evidence"]["dataset"])
    if dataset is None:
        raise Refused("the lineage of the model does not lead to the data that it was proposed on")
    provenance = read_provenance(case.workspace.raw / dataset.removesuffix(DEVELOPMENT) / PROVENANCE)
    accepted = [case.ledger.payload(e.payload_digest) or {} for e in case.ledger.entries("licence.accepted")]
    own = [stated for stated in accepted if stated.get("cohort") == provenance.get("cohort", "")]
    return [{"@id": s["licence_address"], "@type": "CreativeWork", "name": s["licence"]} for s in own]


def _person(case: Case, id: str) -> Entity:
    person = case.people.person(id)
    known = {"@id": f"#{id}", "@type": "Person", "name": person.printed_name, "jobTitle": person.role}
    return known | ({"description": "A demo signer: a key that was made for a demo workspace."} if person.demo else {})


def _acts(case: Case) -> list[Entity]:
    """Training and the signatures, as acts with who or what did them."""
    bundle = {"@id": verify_pack.BUNDLE_MANIFEST}
    training: Entity = {
        "@id": "#training", "@type": "CreateAction", "name": f"Training of {case.named}",
        "endTime": case.training.recorded_at.isoformat(), "instrument": {"@id": "#ictal"}, "result": bundle,
        "object": [{"@id": verify_pack.DATASET}, {"@id": verify_pack.SPLIT}],
    }  # fmt: skip
    signed: list[Entity] = [
        {
            "@id": f"#signature-{number}", "@type": "EndorseAction", "name": f"Signature with the meaning {s.meaning}",
            "agent": {"@id": f"#{s.person_id}"}, "endTime": s.utc_time, "object": {"@id": verify_pack.APPROVAL},
        }
        for number, s in enumerate(case.approval.signatures, start=1)
    ]  # fmt: skip
    return [training, *signed]
