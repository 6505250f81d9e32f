"""Measures beside the controls', guards, odds and the call of a sample."""
