"""Steepest flows on factors: Never Saddle, and what is our own."""
