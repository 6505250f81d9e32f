"""Sheets and FCS files, read and checked: what a sample is and which events its tubes hold."""
