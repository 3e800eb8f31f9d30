"""Who asked, and what did we answer? The prediction API of a hospital site, and every answer in the ledger.

Home of bentoml, fastapi and uvicorn. May import `lineage`, `data` and `models`.
"""
