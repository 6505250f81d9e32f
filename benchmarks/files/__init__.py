"""Files that others write or read: dialects of FCS, damage, names, exported gates."""
