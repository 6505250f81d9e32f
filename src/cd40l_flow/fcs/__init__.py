"""FCS files: from bytes to events, with every offset verified."""
