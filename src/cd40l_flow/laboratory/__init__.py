"""What a laboratory uses in addition to single samples: its history over years, its validation, its disk."""
