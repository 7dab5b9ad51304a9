"""Entries of the ledger on HAM."""
