"""What other programs read and write: FlowJo, Gating-ML, AnnData, MultiQC."""
