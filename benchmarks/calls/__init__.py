"""Calls and fractions of whole simulated samples, against their truth and compared with plain methods."""
