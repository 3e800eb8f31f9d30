"""What probes found, as sections of the page: whether features know the baby, and where attention looks."""

from collections.abc import Mapping
from typing import Any

from validation.ablation.charts import draw_attention, draw_identity
from validation.ablation.paired import excludes_zero
from validation.pages import Section, Table, column_figure
from validation.reading import as_estimate, basis

KINDS = {"emg": "muscle artefact", "pop": "electrode pops"}
GROUPS = {"train": "babies learnt from", "test": "babies never seen"}

PROBE = (
    "A fresh linear classifier reads the features of background windows in one half of every baby's recording and has to "
    "name the baby in the other half, 30 seconds away at least; then the other way round. Every baby counts the same. "
    "“Input” is the mean spectrum of each derivation, what every variant starts from: the baby, and with it the hospital's "
    "amplifier, can be read there."
)
FOCUS = (
    "Of every seizure whose derivations the truth names: is one of the three derivations of most attention ictal? Foci "
    "differ in width, so chance is worked out for each seizure. “Loudest” takes the three derivations of most power and "
    "needs no network."
)
INJECTION = (
    "A muscle artefact or electrode pops of 10 s, of the simulator's own shapes and amplitudes, were added to one electrode "
    "in the background of recordings that the network had not learnt from; the same windows without it stand beside. The "
    "derivations that share the electrode are compared with equal weights, as the ictal ones are."
)


def sections(document: Mapping[str, Any]) -> tuple[Section, ...]:
    """The sections of the probes that the detector declares."""
    probes = document["probes"]
    made = []
    if identity := probes.get("identity"):
        made.append(Section("Who is it? The baby in the features", _identity(identity, document)))
    if attention := probes.get("attention"):
        made.append(Section("Where it looks", _attention(attention)))
    return tuple(made)


def identity_sentence(probe: Mapping[str, Any], document: Mapping[str, Any], whose: str = "train") -> str:
    """What was found, whichever way it went, beside what it does to the score."""
    if reason := probe.get("not_evaluable") or probe[whose].get("not_evaluable"):
        return f"Identity in the features of {GROUPS[whose]}: not evaluable, {reason}."
    found, other = probe[whose], probe["variant"]
    by = as_estimate(found["difference"])
    said = "no difference can be seen"
    if excludes_zero(found["difference"]):
        said = (
            "it is harder to read in the whole detector"
            if (by.value or 0) < 0
            else "it is easier to read in the whole detector"
        )
    ours, theirs = (as_estimate(found["accuracy"][n]) for n in ("full", other))
    return (
        f"Of {GROUPS[whose]} ({found['babies']}), the baby is named rightly in {ours.percent()} % of windows by the features of "
        f"the whole detector and in {theirs.percent()} % by those of {other} (chance {100 * found['chance']:.0f} %): "
        f"{said}, {by.percent(sign=True)} points{_score(document, other) if whose == 'train' else ''}."
    )


def _score(document: Mapping[str, Any], other: str) -> str:
    own = next((v for v in document["variants"] if v["name"] == other and "result" in v), None)
    if own is None:
        return ""
    label, changed = next(iter(document["measures"].values())), own["result"]["change"]
    return f", while the {label} of {other} differs by {as_estimate(changed).written(3, sign=True)}"


def _identity(probe: Mapping[str, Any], document: Mapping[str, Any]) -> tuple[Any, ...]:
    told = [identity_sentence(probe, document, w) for w in GROUPS] if "not_evaluable" not in probe else []
    if not told or all("not_evaluable" in probe[w] for w in GROUPS):
        return (PROBE, identity_sentence(probe, document))
    names = {"full": "whole detector", probe["variant"]: probe["variant"].replace("_", " "), "input": "input"}
    rows = [
        (label, *(as_estimate(probe[w].get("accuracy", {}).get(name, {})).percent() for w in GROUPS))
        for name, label in names.items()
    ]
    rows.append(("chance", *(f"{100 * probe[w]['chance']:.0f}" if "chance" in probe[w] else None for w in GROUPS)))
    rows.append((f"whole detector minus {names[probe['variant']]}", *(_minus(probe[w]) for w in GROUPS)))
    columns = ("Read from", *(f"Named rightly, %,\n{label}" for label in GROUPS.values()))
    bases = " ".join(f"{probe[w]['babies']} {label}." for w, label in GROUPS.items())
    note = f"Mean over fits, 95 % intervals over babies and fits. {bases} {basis(probe['train'])}"
    chart = column_figure(draw_identity(probe, names), "Share of windows whose baby is named rightly", note)
    return (PROBE, chart, *told, Table("How legible the baby is", columns, rows, note))


def _minus(found: Mapping[str, Any]) -> str:
    return as_estimate(found.get("difference", {})).percent(sign=True)


def _attention(found: Mapping[str, Any]) -> tuple[Any, ...]:
    foci, artefacts = found["foci"], found["artefacts"]
    kinds = {k: label for k, label in KINDS.items() if k in artefacts}
    parts: list[Any] = [FOCUS]
    if "not_evaluable" in foci:
        parts.append(f"Attention on ictal derivations: not evaluable, {foci['not_evaluable']}.")
    if "not_evaluable" not in foci or kinds:
        note = f"Filled: mean over fits, with 95 % intervals over patients and fits; hollow: single fits. {basis(foci)}"
        chart = draw_attention(foci, artefacts, kinds)
        parts.append(column_figure(chart, "Attention on ictal derivations and on disturbed ones", note))
    if "not_evaluable" not in foci:
        parts.append(_foci(foci))
    parts.append(INJECTION)
    parts.append(
        _artefacts(artefacts, kinds)
        if kinds
        else "Injected artefacts: not evaluable, no recording has a channel per electrode and a stretch without seizures for one."
    )
    return tuple(parts)


def _foci(foci: Mapping[str, Any]) -> Table:
    written = [_hits(name, foci[name]) for name in ("attention", "loudest")]
    blind = as_estimate(foci["hit_by_chance"]).percent(), "0", as_estimate(foci["hits_of_three_by_chance"]).written()
    columns = ("Three derivations of most …", "Seizures hit, %", "Above chance, points", "Ictal ones of three")
    mass, equal = as_estimate(foci["mass"]).percent(), as_estimate(foci["mass_of_equal_weights"]).percent()
    note = (
        f"{foci['seizures']} seizures of {foci['persons']} patients; the median seizure is in "
        f"{foci['ictal_derivations_median']:g} of {foci['derivations']} derivations. Weight on ictal derivations: {mass} %, "
        f"equal weights would put {equal} % there. {basis(foci)}"
    )
    return Table("Attention on the simulated focus", columns, [*written, ("blindly drawn", *blind)], note)


def _hits(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    hit, above, of_three = (as_estimate(found[key]) for key in ("hit", "above_chance", "hits_of_three"))
    return (name, hit.percent(), above.percent(sign=True), of_three.written())


def _artefacts(artefacts: Mapping[str, Any], kinds: Mapping[str, str]) -> Table:
    rows = [
        (
            label,
            artefacts[kind]["injections"],
            *(
                as_estimate(artefacts[kind][k]).percent()
                for k in ("mass_of_equal_weights", "mass_before", "mass_after")
            ),
            as_estimate(artefacts[kind]["difference"]).percent(sign=True),
            as_estimate(artefacts[kind]["probability_difference"]).percent(sign=True),
        )
        for kind, label in kinds.items()
    ]
    columns = (
        "Artefact", "Injected", "Equal weights, %", "Weight without, %", "Weight with, %", "Change,\npoints",
        "Probability of a\nseizure, points",
    )  # fmt: skip
    note = f"Weight on the derivations that share the disturbed electrode; mean over fits, with 95 % intervals over patients and fits. {basis(artefacts)}"
    return Table("Attention on an electrode that was disturbed", columns, rows, note)


def attention_sentences(found: Mapping[str, Any]) -> list[str]:
    """Where attention lay, beside chance and beside what an artefact draws to itself."""
    foci, artefacts = found["foci"], found["artefacts"]
    said = []
    if "not_evaluable" in foci:
        said.append(f"Attention on ictal derivations: not evaluable, {foci['not_evaluable']}.")
    else:
        hit, blind, loud = (
            as_estimate(f).percent() for f in (foci["attention"]["hit"], foci["hit_by_chance"], foci["loudest"]["hit"])
        )
        said.append(
            f"Attention: in {hit} % of {foci['seizures']} seizures one of its top three derivations is ictal (blindly drawn "
            f"{blind} %, the three loudest {loud} %); ictal derivations get {as_estimate(foci['mass_to_equal']).written()} times "
            "equal weight."
        )
    for kind, label in KINDS.items():
        if kind in artefacts:
            own = artefacts[kind]
            before, after = (as_estimate(own[f"{when}_to_equal"]).written() for when in ("before", "after"))
            said.append(
                f"An electrode with {label} injected: its derivations get {after} times equal weight, without it {before}."
            )
    return said
