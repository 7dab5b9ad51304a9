"""Entries of the ledger of Wu and others."""
