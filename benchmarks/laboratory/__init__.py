"""What laboratories get with fewer tubes, and from their validation."""
