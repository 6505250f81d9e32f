"""Whether the cells are as the anchored mixture says: tests of it, and measures that do without it."""
