"""A draft of the sheets from the names of files and folders: what they say, what varies together, what is asked."""
