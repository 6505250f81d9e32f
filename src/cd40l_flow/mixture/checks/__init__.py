"""Whether the anchored mixture describes the cells: tests of it, and measures that do without it."""
