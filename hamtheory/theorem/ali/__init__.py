"""Entries of the ledger of Ali, Kolter and Tibshirani."""
