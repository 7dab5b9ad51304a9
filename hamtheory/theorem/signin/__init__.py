"""Entries of the ledger on Sign-In."""
