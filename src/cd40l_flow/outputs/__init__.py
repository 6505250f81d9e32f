"""What people and programs read: result.json, figures, reports, the summary and the index."""
