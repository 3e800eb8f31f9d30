"""Is it still true? What sites send and what detectors answer, compared patient by patient with what was known.

Home of evidently (for showing, never for deciding). May import `lineage`, `data`, `models`, `validation`, `serving`.
Public: `features.patient_features`, `drift.compare_sites`, `causes.named`, `persistence.persistence`,
`report.summary_page`, `showing.site_pages`.
"""
