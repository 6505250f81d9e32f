"""The gates of a result as other programs describe them: shapes, in a tree for each tube."""
