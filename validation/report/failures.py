"""Where it fails: the longest seizures that were missed and the worst false alarms, with their EEG."""

from validation.pages import Figure, Heading, Section, figure_svg
from validation.report.dossier import Dossier
from validation.traces import STRETCH, Excerpt, draw_excerpt

KINDS = {
    "missed seizure": ("Missed seizures", "No seizure was missed."),
    "false alarm": ("False alarms", "There was no false alarm."),
}
LEGEND = "Orange: marked by experts. Blue bar above: detected. Below, the probability second by second."


def section(dossier: Dossier) -> Section:
    """Misses first, then false alarms; each of another patient."""
    parts: list[str | Heading | Figure] = []
    for kind, (heading, none) in KINDS.items():
        named = [case for case in dossier.worst or () if case.kind == kind]
        drawn = [e for e in dossier.excerpts if e.kind == kind]
        parts += [Heading(heading), *(_figure(e) for e in drawn)]
        parts += (
            []
            if drawn
            else [f"{case.sentence}." for case in named] or [NOBODY_LOOKED if dossier.worst is None else none]
        )
    return Section("Worst cases", (LEGEND, *parts))


NOBODY_LOOKED = "Not evaluable: nobody looked for them."


def _figure(excerpt: Excerpt) -> Figure:
    return Figure(figure_svg(draw_excerpt(excerpt), f"EEG traces: {excerpt.title}", STRETCH), excerpt.title)
