"""What a detector says may be taken away from it, to see what it was worth: declared in its own params.yaml."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lineage.refused import Refused

FULL = "full"


class BadAblation(Refused):
    """A declaration that changes what is not there, or a variant that nobody declared."""


@dataclass(frozen=True)
class Variant:
    """One way to fit a detector: all its numbers, and the share (0–1) of the training people that it learns from.

    `changed` holds the numbers that differ from the whole detector; `group` is `reference` (the whole detector), `parts`
    (one taken away) or `scaling` (fewer people to learn from).
    """

    name: str
    group: str
    meaning: str
    params: Mapping[str, Any]
    changed: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0


@dataclass(frozen=True)
class Ablations:
    """Every variant of a detector, the whole one first, and what else it wants to be looked into (`probes`).

    Each is fitted `repeats` times with other seeds, the same ones for all, to know what chance in training does.
    """

    variants: tuple[Variant, ...]
    probes: Mapping[str, Any]
    repeats: int = 1

    def named(self, names: list[str]) -> list[Variant]:
        """These variants, with the whole detector, which they are compared with; BadAblation for an unknown name."""
        known = {v.name: v for v in self.variants}
        for name in names:
            if name not in known:
                raise BadAblation(f"no variant {name[:40]!r} among {', '.join(known)}{_hint(name, known)}")
        return [v for v in self.variants if v.name == FULL or v.name in names]


def read_ablations(name: str, document: Mapping[str, Any], params: Mapping[str, Any]) -> Ablations:
    """The variants that a detector's params.yaml declares, on the numbers of one preset.

    Refuses (`BadAblation`) a detector that declares nothing, and a declaration that cannot be meant.
    """
    declared, scaling = document.get("ablations") or {}, document.get("scaling") or []
    if not declared and not scaling:
        raise BadAblation(
            f"{name} declares nothing to take away: list `ablations` (or `scaling`) in its params.yaml, as da_stnet does"
        )
    parts = [_part(name, key, said, params) for key, said in declared.items()]
    variants = [
        Variant(FULL, "reference", "everything in its place", params),
        *parts,
        *(_share(name, share, params) for share in scaling if share != 1),
    ]
    probes = document.get("probes") or {}
    if (wanted := probes.get("identity")) and wanted not in declared:
        raise BadAblation(f"params.yaml of {name}: the identity probe names {wanted!r}, which is no ablation of it")
    repeats = document.get("seeds", 1)
    if not isinstance(repeats, int) or repeats < 1:
        raise BadAblation(f"params.yaml of {name}: seeds must be a whole number of at least 1, got {repeats!r}")
    return Ablations(tuple(variants), probes, repeats)


def _part(detector: str, name: str, said: Mapping[str, Any], params: Mapping[str, Any]) -> Variant:
    changed = said.get("params") or {}
    for key in changed:
        if key not in params:
            raise BadAblation(
                f"params.yaml of {detector}: {name} changes {key!r}, which it has no number of{_hint(key, params)}"
            )
    if not changed or all(params[key] == value for key, value in changed.items()):
        raise BadAblation(f"params.yaml of {detector}: {name} changes nothing")
    if name == FULL or name.startswith("share_"):
        raise BadAblation(f"params.yaml of {detector}: the name {name} is kept for the house's own variants")
    return Variant(name, "parts", str(said["meaning"]), {**params, **changed}, changed)


def _share(detector: str, share: Any, params: Mapping[str, Any]) -> Variant:
    if not isinstance(share, int | float) or not 0 < share <= 1:
        raise BadAblation(f"params.yaml of {detector}: scaling must be shares above 0 and up to 1, got {share!r}")
    percent = round(100 * share)
    return Variant(f"share_{percent}", "scaling", f"{percent} % of the training people", params, share=float(share))


def _hint(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
