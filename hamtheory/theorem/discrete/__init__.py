"""Entries of the ledger on discrete algorithms."""
