"""The assays of B cells: class-switched memory, and CD40; their measures, guards and calls."""
