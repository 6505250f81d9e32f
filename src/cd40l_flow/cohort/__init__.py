"""Sheets and configuration, read and checked: what is analysed, and the job of each sample."""
