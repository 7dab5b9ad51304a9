"""Entries on separable classification: which margin a geometry maximises, and how fast."""
