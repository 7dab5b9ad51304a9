"""Entries of the ledger on random problems."""
