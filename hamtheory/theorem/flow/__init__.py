"""Entries of the ledger on flows of any geometry."""
