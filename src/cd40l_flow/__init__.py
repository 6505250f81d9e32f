"""CD154 / CD40-Ig flow cytometry for the diagnosis of X-linked hyper-IgM syndrome."""

__version__ = "0.1.0"

# What a result is computed by. A rule passes it as a parameter, so that a change of the science reruns every sample.
ENGINE_VERSION = "14"
