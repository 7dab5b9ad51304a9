"""Entries of the ledger on geometries."""
