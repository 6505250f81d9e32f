"""Fractions and calls of real cells in known numbers, mixed or put into simulated files."""
