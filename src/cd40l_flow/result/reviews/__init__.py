"""Signed reviews: files of the ``reviews`` folder, who signed them, in which order, and what they amount to."""
