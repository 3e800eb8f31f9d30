"""A name for what changed at a site, and what to do about it: a guess for people to check, never a decision."""

from dataclasses import dataclass

from monitoring.acquisition import REFUSED
from monitoring.features import KNOWN
from monitoring.findings import SiteDrift


@dataclass(frozen=True)
class Cause:
    """A likely cause: `name` in a few words, `evidence` that led to it, and the `advice` to follow first."""

    name: str
    evidence: str
    advice: str


_ADVICE = {
    "mains": "Ask the site for the recorder's mains setting, and look at raw channels without any filter.",
    "rate": "Ask whether recorder or export were changed; the front end resamples, so compare alarms before and after.",
    "electrodes": "Ask which electrodes, montage and reference are used now; check for swapped or bridged leads.",
    "gain": "Compare a calibration signal with its nominal amplitude; check unit and gain in the file headers.",
    "filter": "Ask for the recorder's filter settings; record without hardware filters where possible.",
    "contact": "Check impedances and the electrodes that are flat most often.",
    "answers": "Compare case mix and model version; let experts read a sample of alarms and of silent hours.",
    "patients": "Compare ages, diagnoses and drugs with the reference; assess performance on labelled cases.",
    "camera": "Ask which camera, recorder and settings are used now; look at a film of then and of now side by side.",
    "light": "Look at a film of each: is it night mode, another lamp, or another place of the camera?",
    "pose": "Look at the joints drawn over a film; ask whether the pose estimator, the camera or the cover was changed.",
    "refused": "Look up why the checks refuse them; ask the site what was changed. A retraining learns nothing from them.",
    "missing": "Find out why values are missing before anything else is concluded.",
}


def named(site: SiteDrift) -> tuple[Cause, ...]:
    """Likely causes, most certain first; empty for a site that is not in alarm.

    Broken rules of acquisition name themselves. Shifts are read by pattern: amplitude without a change in the
    spectrum's shape is gain; slow power lost (or fast power lost) is a filter; both together are an amplifier.
    """
    if site.state != "alarm":
        return ()
    return tuple(_from_breaches(site)) + tuple(_from_shifts(site))


def _from_breaches(site: SiteDrift) -> list[Cause]:
    key = {
        "mains frequency": "mains", "sampling rate": "rate", "channel set": "electrodes", "amplitude": "gain",
        "clipping": "gain", "time without signal": "contact", "frame rate": "camera", "picture size": "camera",
        "time with a frozen picture": "camera", "share of dropped frames": "camera", "camera light": "light",
        "share of dark pictures": "light", "set of joints": "pose", "share of joints not seen": "pose",
        "confidence of joints": "pose", "time without a person": "pose", REFUSED: "refused",
    }  # fmt: skip
    names = {"amplitude": "unit or gain"}
    return [Cause(names.get(b.rule, b.rule), b.sentence, _ADVICE[key.get(b.rule, "missing")]) for b in site.breaches]


def _from_shifts(site: SiteDrift) -> list[Cause]:
    moved = {s.feature: s.effect_sd for s in site.alarms}
    groups = {KNOWN[f].group for f in moved if f in KNOWN}
    found = [*_amplifier(moved, groups), *_single(moved, groups)]
    if not found and "answers" in groups:
        found = [_cause("the detector's answers, not the signal", moved, "answers", "answers")]
    if not found and moved:
        found = [Cause("other patients", _effects(moved, set(groups)), _ADVICE["patients"])]
    return found


def _amplifier(moved: dict[str, float], groups: set[str]) -> list[Cause]:
    found = []
    if moved.get("delta", 0) < 0 and _rises(moved, "alpha", "beta", "theta", "slope"):
        found.append(_cause("a high-pass filter at a higher frequency", moved, "spectrum", "filter"))
    elif moved.get("beta", 0) < 0 and moved.get("slope", 0) <= 0 and moved.get("delta", 0) >= 0:
        found.append(_cause("a low-pass filter at a lower frequency", moved, "spectrum", "filter"))
    # above 8 Hz no usual high-pass reaches, so amplitude there speaks of gain even when slow power is gone
    shape_kept = "spectrum" not in groups
    if ("log_fast_rms" in moved and (shape_kept or found)) or ("amplitude" in groups and shape_kept):
        found.append(_cause("another gain", moved, "amplitude", "gain"))
    return found


def _single(moved: dict[str, float], groups: set[str]) -> list[Cause]:
    found = []
    for group, name in (("light", "another light"), ("camera", "another camera"), ("pose", "joints seen less surely")):
        if group in groups:
            found.append(_cause(name, moved, group, group))
    if "mains" in groups:
        found.append(_cause("mains interference", moved, "mains", "mains"))
    if moved.get("flat_share", 0) > 0:
        found.append(_cause("electrodes without contact", moved, "contact", "contact"))
    if "electrodes" in groups and not groups & {"amplitude", "spectrum"}:
        found.append(_cause("electrodes, montage or reference", moved, "electrodes", "electrodes"))
    return found


def _rises(moved: dict[str, float], *features: str) -> bool:
    return any(moved.get(f, 0) > 0 for f in features)


def _cause(name: str, moved: dict[str, float], group: str, advice: str) -> Cause:
    return Cause(name, _effects(moved, {group}), _ADVICE[advice])


def _effects(moved: dict[str, float], groups: set[str]) -> str:
    texts = [f"{f} {e:+.1f} SD" for f, e in moved.items() if f in KNOWN and KNOWN[f].group in groups]
    return ", ".join(texts)
