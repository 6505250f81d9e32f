"""Gating of activated CD4+ T cells: boundaries found in the data, and the strategy that applies them."""
