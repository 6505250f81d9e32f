"""The statistics of binned cells: components, fits, intervals, hypotheses; they know no reagent by name."""
