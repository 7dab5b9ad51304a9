"""Entries of the ledger of Even and others."""
