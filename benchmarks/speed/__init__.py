"""Processor time and memory, how they grow, and those of other software on the same files."""
