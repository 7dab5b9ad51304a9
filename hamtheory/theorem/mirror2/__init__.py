"""Entries of the ledger on time-dependent mirror flows."""
