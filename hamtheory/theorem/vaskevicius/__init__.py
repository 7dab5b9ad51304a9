"""Entries of the ledger of Vaškevičius, Kanade and Rebeschini."""
