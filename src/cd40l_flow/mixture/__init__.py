"""The statistics of binned cells: components, fits, intervals, hypotheses; they depend on no particular reagent."""
