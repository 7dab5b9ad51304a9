"""Entries of the ledger of Woodworth and others."""
