"""Entries of the ledger on PILoT."""
