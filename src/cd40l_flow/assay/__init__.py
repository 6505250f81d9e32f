"""What is asked, as data: guards and what they take away, rules, words."""
