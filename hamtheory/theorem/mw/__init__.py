"""Entries of the ledger on m*w."""
