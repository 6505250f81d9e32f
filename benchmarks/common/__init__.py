"""What all benchmarks share: places, timing, the table of goals."""
