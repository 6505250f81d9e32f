"""The gates of a result as other programs know them: shapes, in a tree for each tube."""
