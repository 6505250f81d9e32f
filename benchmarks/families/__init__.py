"""Calls by mechanism, of simulated donors who differ as people do."""
