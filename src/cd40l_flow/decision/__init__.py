"""Comparison with the controls, guards, odds and the call of a sample."""
