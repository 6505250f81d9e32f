"""Everything the result of one sample depends on: its rows of the sheets, its controls, and the settings of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import convert, to_builtins

from cd40l_flow.assay.limits import Limits, plain_limits, read_limits
from cd40l_flow.base.model import Override, Sample
from cd40l_flow.cohort.laboratory import Laboratory

SPILLOVER_WORDS = ("file", "none")
# Marker -> its detector and range; ``spillover``, ``amplifier`` and ``scatter`` as the configuration has them.
PanelValue = str | dict[str, str | int | float]
Panel = Mapping[str, PanelValue]


@dataclass(frozen=True)
class Settings:
    """The part of the configuration that a sample depends on, defaults filled in.

    ``panels`` are those of its tubes, by name. ``reference`` are the laboratory's own limits; None without them.
    ``refused`` are tubes that may not be used: sample -> ``fcs`` -> why.
    """

    spillover: str = "file"
    panels: Mapping[str, Panel] = field(default_factory=dict)
    require_function: bool = True
    show_columns: tuple[str, ...] = ()
    limits: Limits = Limits()
    reference: Laboratory | None = None
    refused: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def panel(self, name: str) -> Panel:
        """Return a panel by its name; one without an entry of its own leaves every marker to its label."""
        return self.panels.get(name) or {}

    def matrices(self) -> tuple[str, ...]:
        """Return the paths of the spillover matrices that are files of their own."""
        values = [self.spillover, *(panel.get("spillover") for panel in self.panels.values())]
        return tuple(str(value) for value in values if value and value not in SPILLOVER_WORDS)

    def plain(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        own = to_builtins(self.reference)
        return vars(self) | {
            "show_columns": list(self.show_columns),
            "limits": plain_limits(self.limits),
            "reference": own,
        }

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Settings:
        """Return settings from their JSON values; raises KeyError and TypeError for others."""
        limits, columns = read_limits(plain["limits"]), tuple(plain["show_columns"])
        own = convert(plain["reference"], Laboratory | None)
        return cls(**{**plain, "limits": limits, "show_columns": columns, "reference": own})


@dataclass(frozen=True)
class Job:
    """Everything the result of one sample depends on, apart from the bytes of its tubes and its controls' results.

    ``run_controls`` are all controls of the run (they fix the scale), ``controls`` the names of those this sample is
    compared with (for a control: the other controls).
    """

    sample: Sample
    controls: tuple[str, ...]
    run_controls: tuple[Sample, ...]
    overrides: tuple[Override, ...]
    settings: Settings
