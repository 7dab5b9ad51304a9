"""Entries of the ledger of Pesme, Pillaud-Vivien and Flammarion."""
