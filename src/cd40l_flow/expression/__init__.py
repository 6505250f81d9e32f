"""What the activated cells express: the mixture, the measures, the guards and the call."""
