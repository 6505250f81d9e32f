"""The configuration: inputs, panels and limits of an analysis."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cd40l_flow.assay.b_cell_limits import age_row_faults
from cd40l_flow.assay.limits import Limits, limits_schema, read_limits
from cd40l_flow.base.disk import as_on_disk, read_small
from cd40l_flow.base.errors import Problem
from cd40l_flow.base.resources import read_yaml
from cd40l_flow.base.schema import faults, load_schema, shown, with_defaults
from cd40l_flow.base.yaml_text import MOST_BYTES, Misread, misread, refuse_bombs
from cd40l_flow.cohort.reviewers import same_people
from cd40l_flow.cohort.settings import SPILLOVER_WORDS, Panel

SCHEMA = "config.schema.yaml"
# Placeholder of a draft for a detector that the user must name.
UNFILLED = "WHICH"

_PATHS = ("samples", "tubes", "overrides", "reviews", "fcs_dir", "reference", "spillover")
# Pairs of limits of which the first must not exceed the second.
_ORDERED = (
    ("acquisition", "margin_warn_percent", "margin_fail_percent"),
    ("acquisition", "removed_warn_percent", "removed_hard_percent"),
    ("guards", "minor_mention", "minor_quantify"),
    ("guards", "activated_min", "activated_mosaic"),
    ("guards", "collected_warn_h", "collected_max_h"),
    ("calls", "reduced_level_max", "normal_level_min"),
    ("calls", "functional_ratio_max", "binding_ratio_min"),
    ("reference", "chart_warn_sd", "chart_fail_sd"),
    ("b_cells", "b_events_min", "b_events_few"),
    ("b_cells", "age_call_min", "age_low_min"),
    ("b_cells", "cd40_absent_ratio_max", "cd40_low_ratio_max"),
    ("b_cells", "own_donors_fewest", "own_donors_min"),
)


@dataclass(frozen=True)
class Config:
    """The configuration with every default filled in; paths as written, relative to the working directory.

    ``identity`` is column -> label; ``file`` and ``lines`` (key -> line) say where it was read.
    """

    samples: str
    tubes: str
    fcs_dir: str
    overrides: str | None
    reviews: str | None
    spillover: str
    panels: Mapping[str, Panel]
    reference: str | None
    require_function: bool
    show_columns: tuple[str, ...]
    identity: Mapping[str, str]
    reviewers: tuple[Mapping[str, Any], ...]
    notify: Mapping[str, Any]
    limits: Limits
    file: str = field(default="", compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)

    def problem(self, key: str, message: str, remedy: str) -> Problem:
        """Return a fatal problem at a key, given as ``limits.odds.call_odds``."""
        return _problem(self.file, self.lines, key, message, remedy)


@cache
def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration, that of the limits made from their table; do not change it."""
    schema = load_schema(SCHEMA)
    return schema | {"properties": schema["properties"] | {"limits": limits_schema()}}


def load_config(path: str | Path) -> tuple[Config | None, list[Problem]]:
    """Read and check a configuration; None when a problem is fatal."""
    config, problems = draft_config(path)
    return (None if problems else config), problems


def draft_config(path: str | Path) -> tuple[Config | None, list[Problem]]:
    """Read a configuration with defaults in place of what is wrong, so that the sheets it names can be checked as well.

    None only when the sheets cannot be known. Nothing may be run with it while there are problems.
    """
    import yaml

    file = str(path)
    doubtful: list[Problem] = []
    try:
        text = read_small(path, MOST_BYTES).decode("utf-8-sig")
        refuse_bombs(text)
        lines, repeated = _line_numbers(text)
        doubtful = [_misread(file, one) for one in misread(text, _booleans())]
        data = read_yaml(text)
    except OSError as error:
        remedy = "Give the path of a configuration, such as config/config.yaml."
        return None, [_problem(file, {}, "", f"cannot be read: {error.strerror or error}.", remedy)]
    except UnicodeDecodeError:
        return None, [_problem(file, {}, "", "is not UTF-8 text.", "Save it as UTF-8.")]
    except ValueError as error:
        # A date that the calendar lacks, for instance.
        return None, doubtful or [_problem(file, {}, "", f"is not YAML that can be read: {error}.", "Correct it.")]
    except RecursionError:
        return None, [_problem(file, {}, "", "is nested too deeply.", "Start from the config.yaml of the project.")]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        message = f"is not YAML that can be read: {getattr(error, 'problem', None) or error}."
        return None, [Problem("CONFIG", "fatal", message, file, line, remedy="Check the indents, colons and quotes.")]
    config, problems = parse_config(data, file, lines)
    reported = {problem.column for problem in doubtful}
    problems = [*(problem for problem in problems if problem.column not in reported), *doubtful]
    for key in repeated:
        problems.append(_problem(file, lines, key, "is given twice.", "Keep one of the two."))
    return config, sorted(problems, key=lambda problem: problem.line or 0)


def parse_config(
    data: Any, file: str = "", lines: Mapping[str, int] | None = None
) -> tuple[Config | None, list[Problem]]:
    """Check a configuration that was read already; like `draft_config`."""
    lines = lines or {}
    schema = config_schema()
    if not isinstance(data, Mapping):
        message = f"holds {shown(data)} in place of keys and values."
        return None, [_problem(file, lines, "", message, "Start from the config.yaml of the project.")]
    problems, bad = [], []
    for path, message, remedy in [*_bad_numbers(data, ()), *faults(_with_text_keys(data), schema)]:
        bad.append(path[:2] if path[:1] == ("panels",) else path)
        key = ".".join(str(part) for part in path)
        advice = _other_home(path, schema) or _text_for_number(data, path) or remedy
        problems.append(_problem(file, lines, key, message, advice))
    filled = with_defaults(_without(_with_text_keys(data), bad), schema)
    if any(not filled.get(key) for key in schema["required"]):
        return None, problems
    filled["panels"] = {"default": {}, **filled["panels"]}
    filled |= {key: as_on_disk(filled[key]) for key in _PATHS if filled[key] is not None}
    filled |= {key: tuple(filled[key]) for key in ("show_columns", "reviewers")}
    filled["limits"] = read_limits(filled["limits"])
    config = Config(**filled, file=file, lines=dict(lines))
    return config, [*problems, *_sense(config)]


def _sense(config: Config) -> Iterator[Problem]:
    """Yield what a schema cannot express."""
    labels = [*config.show_columns, *config.identity.values()]
    for column, label in config.identity.items():
        if labels.count(label) > 1:
            message = f"{shown(label)} is the label of another column too."
            yield config.problem(f"identity.{column}", message, "Give every column a label of its own.")
    if not _is_there(config.fcs_dir, Path.is_dir):
        remedy = "Write the path of a folder, relative to the working directory."
        yield config.problem("fcs_dir", f"there is no folder '{config.fcs_dir}'.", remedy)
    yield from _spillover_problems(config, "spillover", config.spillover)
    for name, panel in config.panels.items():
        if "spillover" in panel:
            yield from _spillover_problems(config, f"panels.{name}.spillover", str(panel["spillover"]))
        used: dict[str, str] = {}
        for marker, entry in panel.items():
            if not isinstance(entry, Mapping):
                continue
            detector = str(entry["detector"])
            if detector == UNFILLED:
                yield config.problem(
                    f"panels.{name}.{marker}",
                    f"still says {UNFILLED}.",
                    "Write the name of the detector; the draft lists those of the files below.",
                )
            elif used.setdefault(detector, marker) != marker:
                yield config.problem(
                    f"panels.{name}.{marker}",
                    f"detector '{detector}' is also that of {used[detector]}.",
                    "Give each marker its own detector.",
                )
    for one, other in same_people(reviewer["name"] for reviewer in config.reviewers):
        message = (
            f"'{one}' and '{other}' are two spellings of one name: titles, case and look-alike letters do not count."
        )
        yield config.problem(
            "reviewers", message, "Two people are two entries; write what distinguishes them, or keep one."
        )
    for reviewer in config.reviewers:
        if not any(sign.isalpha() for sign in reviewer["name"]):
            yield config.problem("reviewers", f"found {shown(reviewer['name'])}, expected a name.", "Write the name.")
    for group, low, high in _ORDERED:
        limits = getattr(config.limits, group)
        first, second = getattr(limits, low), getattr(limits, high)
        if first > second:
            yield config.problem(
                f"limits.{group}.{low}", f"{first} exceeds {high}, {second}.", "Exchange or correct them."
            )
    for name in config.limits.serum_ig.__struct_fields__:
        for fault in age_row_faults(getattr(config.limits.serum_ig, name)):
            yield config.problem(f"limits.serum_ig.{name}", fault, "Correct the rows.")


def _is_there(path: str, kind: Callable[[Path], bool]) -> bool:
    """Return whether what is at a path is of this kind; False for a path that no file can have."""
    try:
        return kind(Path(path))
    except (OSError, ValueError):
        return False


def _spillover_problems(config: Config, key: str, value: str) -> Iterator[Problem]:
    if value in SPILLOVER_WORDS:
        return
    if value.casefold() in SPILLOVER_WORDS:
        yield config.problem(key, f"found '{value}'.", f"Write {value.casefold()}, in small letters.")
    elif not _is_there(value, Path.is_file):
        remedy = "Write file, none or the path of a CSV file, relative to the working directory."
        yield config.problem(key, f"there is no file '{value}'.", remedy)


def _problem(file: str, lines: Mapping[str, int], key: str, message: str, remedy: str) -> Problem:
    place = key
    while place and place not in lines:  # a missing key is reported at the line of the object that lacks it
        place = place.rpartition(".")[0]
    return Problem("CONFIG", "fatal", message, file, lines.get(place), key or None, None, remedy)


def _other_home(path: tuple[str | int, ...], schema: Mapping[str, Any]) -> str:
    """Return where a limit belongs that is in the wrong group, or nothing."""
    groups = schema["properties"]["limits"]["properties"]
    homes = [group for group, part in groups.items() if path[-1] in part["properties"] and group not in path]
    return f"It belongs to limits.{homes[0]}." if homes else ""


def _misread(file: str, one: Misread) -> Problem:
    return Problem("CONFIG", "fatal", one.message, file, one.line, one.key, None, one.remedy)


def _text_for_number(data: Any, path: tuple[str | int, ...]) -> str:
    """Return what to write where a number was meant that YAML takes for a text, as 1e3; nothing elsewhere."""
    for part in path:
        if not isinstance(data, Mapping) or part not in data:
            return ""
        data = data[part]
    try:
        number = float(data) if isinstance(data, str) else math.inf
    except ValueError:
        return ""
    return f"YAML takes {data} for a text; write {number:.15g}." if math.isfinite(number) else ""


def _booleans() -> frozenset[str]:
    """Return the keys whose value is true or false."""

    def walk(schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
        for key, part in schema.get("properties", {}).items():
            if part.get("type") == "boolean":
                yield f"{prefix}{key}"
            yield from walk(part, f"{prefix}{key}.")

    return frozenset(walk(config_schema(), ""))


def _bad_numbers(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _bad_numbers(part, (*path, str(key)))
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, f"found {value}, expected a finite number.", "Write a number."


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _with_text_keys(part) for key, part in value.items()}
    return value


def _without(value: Any, paths: list[tuple[str | int, ...]]) -> Any:
    """Return a copy of ``value`` without the parts at ``paths``; a bad item takes its whole list with it."""
    if not isinstance(value, Mapping):
        return value
    kept = {}
    for key, part in value.items():
        below = [path[1:] for path in paths if path and path[0] == key]
        if () not in below and not any(isinstance(path[0], int) for path in below):
            kept[key] = _without(part, below)
    return kept


def _line_numbers(text: str) -> tuple[dict[str, int], list[str]]:
    """Return the line of every key, as ``limits.odds.call_odds``, and the keys given twice (YAML keeps the last)."""
    import yaml

    lines: dict[str, int] = {}
    repeated: list[str] = []

    def walk(node: Any, prefix: str) -> None:
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                key = f"{prefix}{key_node.value}"
                if key in lines:
                    repeated.append(key)
                lines[key] = key_node.start_mark.line + 1
                walk(value_node, f"{key}.")

    walk(yaml.compose(text, Loader=yaml.SafeLoader), "")
    return lines, repeated
