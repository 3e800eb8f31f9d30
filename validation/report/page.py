"""The page of one candidate, verdict first; every section stands in a module of its own."""

from collections.abc import Mapping

from lineage.digest import digest_of
from validation.outcome import gates_section, headline
from validation.pages import Cell, Links, Section, render_page, short
from validation.reading import Reading
from validation.report import abstention, averaging, calibration, failures, neonatal, operating, regimes, whom
from validation.report.dossier import Dossier


def evaluation_page(dossier: Dossier) -> str:
    """HTML of one candidate beside the other detectors of its dossier: one file that loads nothing."""
    main = dossier.main
    return render_page(
        "report",
        kind="Evaluation",
        title=f"Evaluation of {dossier.name}",
        lead="Every figure is from patients whom the detector had not seen, unless it is marked as a leaky control.",
        simulated=dossier.simulated,
        headline=headline(dossier.name, dossier.champion, dossier.gates, main, dossier.in_force),
        facts=_facts(main),
        beside=Links(dossier.beside) if dossier.beside else None,
        sections=sections(dossier),
        provenance=provenance(dossier),
        made_at=dossier.made_at,
    )


def sections(dossier: Dossier) -> tuple[Section, ...]:
    """Everything below the verdict, in reading order."""
    main = dossier.main
    return (
        regimes.section(dossier),
        gates_section(dossier.gates, main),
        operating.section(dossier),
        whom.patients(dossier),
        calibration.section(main),
        whom.subgroups(main),
        neonatal.section(main),
        abstention.section(main),
        averaging.section(dossier),
        failures.section(dossier),
        regimes.side_by_side(dossier),
    )


def provenance(dossier: Dossier) -> dict[str, str]:
    """What a reader needs to make the same figures again: digests of data, split, predictions and code, scorers."""
    split, main = dossier.split, dossier.main
    described = ", ".join(f"{key} {split[key]}" for key in ("regime", "seed") if key in split)
    digests = {f"{name} (SHA-256)": digest for name, digest in main.digests.items()}
    own = {"split": f"{described}, {len(split.get('folds', ()))} folds", "split (SHA-256)": digest_of(dict(split))}
    return {**dossier.provenance, **own, **digests, **_intervals(main), **_scorers(main)}


def _facts(reading: Reading) -> Mapping[str, Cell]:
    counts = reading.counts
    return {
        "Patients": counts.get("persons"),
        "with seizures": counts.get("seizing_persons"),
        "Seizures": counts.get("seizures"),
        "Sites": len({site for p in reading.patients for site in str(p["site"]).split("+")}) or None,
        "Hours": None if counts.get("hours") is None else f"{counts['hours']:.1f}",
        "Time assessed": reading.coverage,
    }


def _intervals(reading: Reading) -> dict[str, str]:
    return {"intervals": f"95 %, {reading.draws:,} resamples of patients within sites"} if reading.draws else {}


def _scorers(reading: Reading) -> dict[str, str]:
    named = (stated.rsplit(" ", 2) for stated in reading.scorers)
    return {"scorers": "; ".join(f"{name} {version} {short(digest)}" for name, version, digest in named)}
