"""What people look at, drawn from binned data: panels, histograms, strips, charts."""
