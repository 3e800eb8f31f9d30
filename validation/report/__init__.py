"""What is said about one candidate: may it replace what is in force, how good is it honestly, and where does it fail?

A `Dossier` holds all that is known; `evaluation_page` shows it to people, `report_document` is the same for programs.
May import `data` and `lineage`.
"""

from validation.report.document import report_document
from validation.report.dossier import Dossier
from validation.report.excerpts import cut_excerpt
from validation.report.page import evaluation_page
from validation.report.worst import WorstCase, worst_cases

__all__ = ["Dossier", "WorstCase", "cut_excerpt", "evaluation_page", "report_document", "worst_cases"]
