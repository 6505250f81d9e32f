"""A laboratory's validation of the assay from its own results: the studies that CLSI's guidelines name."""
