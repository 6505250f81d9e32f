"""How right the results are, against known truth and other programs, and what they cost."""
