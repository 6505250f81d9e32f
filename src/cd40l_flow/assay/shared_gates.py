"""The names of populations that every assay gates in the same way."""

from __future__ import annotations

TIME, LYMPHOCYTES, SINGLETS, VIABLE = "time", "lymphocytes", "singlets", "viable"
