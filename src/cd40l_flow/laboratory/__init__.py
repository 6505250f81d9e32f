"""What a laboratory looks at beside single samples: its history over years, its validation, its disk."""
