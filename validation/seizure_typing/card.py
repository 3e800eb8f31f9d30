"""The card of a detector that names seizure types: the hand-written text, then what its evaluation found."""

import re

from validation.cards import templates
from validation.pages import SIMULATED
from validation.seizure_typing.page import TypingDossier, said


def typing_card(static: str, dossier: TypingDossier) -> str:
    """The whole card as Markdown. Law: the same text and dossier give the same bytes."""
    filled = (
        templates()
        .get_template("typing_card.md.j2")
        .render(
            static=static.rstrip("\n"),
            main=dossier.main,
            said=said(dossier.main),
            inflation=dossier.inflation,
            gates=[gate.to_json() for gate in dossier.gates],
            origins={**dossier.provenance, **{f"{n} (SHA-256)": d for n, d in dossier.main["digests"].items()}},
            simulated=dossier.simulated,
            simulated_sentence=SIMULATED,
        )
    )
    return re.sub(r"\n{3,}", "\n\n", filled).rstrip("\n") + "\n"
