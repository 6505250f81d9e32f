"""The assay of class-switched memory B cells as tables."""
