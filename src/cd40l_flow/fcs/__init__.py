"""FCS files: bytes to events, by a reader that trusts no offset."""
