"""The pages of people: what all assays of one person found, side by side."""
