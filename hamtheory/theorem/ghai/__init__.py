"""Entries of the ledger of Ghai, Hazan and Singer."""
