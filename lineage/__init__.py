"""Who vouches for it: digests, the ledger, signatures, approvals, receipts, and the lineage as a picture.

Home of sqlalchemy, cryptography and model-signing. Imports nothing of ours, so that every package may write what it did.
"""
