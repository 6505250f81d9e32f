"""From what was measured and decided to the record of a sample, and to that of one that could not be analysed."""
