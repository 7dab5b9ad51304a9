"""Entries of the ledger of Li and others."""
