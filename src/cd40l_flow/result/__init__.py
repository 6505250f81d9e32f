"""The record of a sample, its one reader and writer, and the tables made of records."""
