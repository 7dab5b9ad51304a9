"""Entries of the ledger on sign flips."""
