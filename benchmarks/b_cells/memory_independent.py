"""Samples of the assay ``memory_b`` that share neither code nor laws with the product's simulator, by family.

`FAMILIES` are what samples can be, `CYTOMETERS` whose; `write_run` writes a run of one family and returns its truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.b_cells.memory_independent_cells import (
    EXHAUSTED,
    IMMATURE,
    LAWS,
    M_ONLY,
    MARGINAL,
    NAIVE,
    PLASMA,
    SUBSETS,
    SWITCHED,
    Blood,
    Cytometer,
    draw_tube,
    separation,
    stated_spill,
    write_tube,
)
from benchmarks.b_cells.memory_judging import AFFECTED, HEALTHY, OTHER, Case

Draw = np.random.Generator
Change = Callable[[Blood, Draw], Blood]
_SPILL = (
    ("CD19", "CD3", 0.06), ("CD19", "CD38", 0.02), ("CD38", "CD19", 0.05), ("CD38", "IgM", 0.03), ("IgD", "CD27", 0.02),
    ("IgM", "CD3", 0.04), ("CD27", "viability", 0.07), ("viability", "CD27", 0.05), ("IgD", "CD38", 0.03),
    ("CD24", "IgD", 0.015), ("IgD", "CD24", 0.09), ("CD3", "IgM", 0.05), ("CD24", "CD38", 0.11), ("CD3", "CD19", 0.03),
)  # fmt: skip
CYTOMETERS = (
    Cytometer(
        "LSRFortessa",
        {"CD19": ("PE-Cy7-A", "CD19"), "CD27": ("V450-A", "CD27"), "IgD": ("FITC-A", "IgD"), "IgM": ("APC-A", "IgM"),
         "CD3": ("APC-Cy7-A", "CD3"), "CD38": ("PerCP-Cy5-5-A", "CD38"), "CD24": ("PE-A", "CD24"),
         "viability": ("V500-A", "Live/Dead")},
        _SPILL, version="FCS3.0", matrix="SPILL", fmo=("memory-FMO27", "memory-FMOIg"),
    ),
    Cytometer(
        "CytoFLEX S",
        {"CD19": ("PC7-A", "CD19 PC7"), "CD27": ("APC-A", "CD27 APC"), "IgD": ("PB450-A", "anti-IgD PB"),
         "IgM": ("FITC-A", "IgM FITC"), "CD3": ("APC-A750-A", "CD3 A750"), "CD38": ("PC5.5-A", "CD38 PC5.5"),
         "CD24": ("PE-A", "CD24 PE"), "viability": ("KO525-A", "Zombie Aqua")},
        (*_SPILL, ("CD3", "CD27", 0.04), ("CD27", "CD3", 0.09)), gain=5.0, range=16777216, noise=6.0,
    ),
    Cytometer(
        "Navios",
        {"IgD": ("FL1 INT", "IgD-FITC"), "CD27": ("FL2 INT", "CD27-PE"), "CD19": ("FL5 INT", "CD19-PC7"),
         "IgM": ("FL6 INT", "IgM-APC"), "CD3": ("FL8 INT", "CD3-A750"), "viability": ("FL4 INT", "7-AAD")},
        (*_SPILL, ("IgD", "CD27", 0.14), ("CD27", "IgD", 0.012)), version="FCS3.0", range=1048576, bits=32, gain=6.0,
        width=True,
    ),
    Cytometer(
        "FC500",
        {"IgD": ("FL1-H", "IgD FITC"), "CD27": ("FL2-H", "CD27 PE"), "CD3": ("FL3-H", "CD3 ECD"),
         "IgM": ("FL4-H", "IgM PC5"), "CD19": ("FL5-H", "CD19 PC7")},
        (("IgD", "CD27", 0.12), ("CD27", "CD3", 0.2), ("CD3", "CD27", 0.03), ("IgM", "CD3", 0.02)),
        version="FCS2.0", log=True, gain=6.0, matrix="",
    ),
)  # fmt: skip
LOG = 3  # of the cytometers


def healthy_blood(age_years: float, random: Draw) -> Blood:
    """Return a healthy donor: memory grows with age to a plateau, shares are beta-distributed about the curve."""
    grown = 1.0 - math.exp(-((age_years + 0.15) / 3.2))
    middle = {SWITCHED: 0.035 + 0.125 * grown, MARGINAL: 0.04 + 0.06 * grown, IMMATURE: 0.04 + 0.20 * (1 - grown)}
    spread = {SWITCHED: 60.0, MARGINAL: 40.0, IMMATURE: 50.0}
    shares = [0.0] * len(SUBSETS)
    for subset, mean in middle.items():
        shares[subset] = float(random.beta(mean * spread[subset], (1 - mean) * spread[subset]))
    shares[M_ONLY] = float(random.beta(2, 300))
    shares[EXHAUSTED] = float(random.beta(4, 120))
    shares[PLASMA] = float(random.beta(2, 300))
    shares[NAIVE] = max(1.0 - sum(shares), 0.05)
    return Blood(
        subsets=tuple(shares),
        b=float(random.beta(8, 40) + 0.06 * (1 - grown)),
        memory_27=float(random.uniform(120, 260)),
        law=LAWS[int(random.integers(len(LAWS)))],
        shape=float(random.uniform(1.8, 4.0)),
        naive_27=float(random.uniform(1.0, 8.0)),
        igd=float(random.uniform(500, 1500)),
        igm=float(random.uniform(150, 400)),
        igd_shape=float(random.uniform(2.0, 5.0)),
        stickiness=float(random.uniform(0.5, 2.0)),
        dead=float(random.beta(2, 40)),
        junk=float(random.beta(2, 25)),
    )


def _share(subset: int, low: float, high: float) -> Change:
    """Return a change that draws one subset's share evenly and takes it from naive cells."""

    def change(blood: Blood, random: Draw) -> Blood:
        shares = list(blood.subsets)
        shares[subset] = float(random.uniform(low, high))
        shares[NAIVE] = max(1.0 - sum(shares) + shares[NAIVE], 0.02)
        return replace(blood, subsets=tuple(shares))

    return change


def _all(*changes: Change) -> Change:
    def change(blood: Blood, random: Draw) -> Blood:
        for one in changes:
            blood = one(blood, random)
        return blood

    return change


def _set(**ranges: tuple[float, float]) -> Change:
    def change(blood: Blood, random: Draw) -> Blood:
        drawn: dict[str, Any] = {name: float(random.uniform(*ends)) for name, ends in ranges.items()}
        return replace(blood, **drawn)

    return change


def _mixed(blood: Blood, random: Draw) -> Blood:
    """Return a mixed chimerism: healthy cells among those of a patient who does not switch."""
    part = float(random.uniform(0.05, 0.95))
    shares = [share * part if k in (SWITCHED, MARGINAL, PLASMA) else share for k, share in enumerate(blood.subsets)]
    shares[NAIVE] += 1.0 - sum(shares)
    return replace(blood, subsets=tuple(shares))


@dataclass(frozen=True)
class Family:
    """A family: what its samples are, how their blood differs, and from which laboratories they come.

    ``refused`` samples may get no call. ``disturbance`` is blank where nothing disturbs the measurement;
    ``measurable`` is False where it spoils the share itself. ``without`` are markers that the panel lacks.
    """

    name: str
    kind: str = HEALTHY
    ages: tuple[float, float] = (2.0, 50.0)
    change: Change = lambda blood, _: blood
    disturbance: str = ""
    refused: bool = False
    measurable: bool = True
    sheet: dict[str, str] = field(default_factory=dict)
    cells: tuple[float, float] = (600, 12_000)
    without: tuple[str, ...] = ()
    tubes: tuple[str, ...] | None = None
    cytometers: tuple[int, ...] = (0, 1, 2)
    control: bool = True


_NO_HELP = _all(_share(SWITCHED, 0.0, 0.003), _share(MARGINAL, 0.01, 0.06), _share(PLASMA, 0.0, 0.001))
_NO_SWITCH = _all(_share(SWITCHED, 0, 0), _share(MARGINAL, 0.1, 0.3), _share(M_ONLY, 0.01, 0.06), _share(PLASMA, 0, 0))
_FEW = (30.0, 170.0)
FAMILIES = (
    # Healthy people
    Family("adult", ages=(18, 55)),
    Family("school child", ages=(6, 16)),
    Family("toddler", ages=(1.6, 5)),
    Family("one year old", ages=(0.8, 1.5)),
    Family("infant", ages=(0.1, 0.7), disturbance="infant"),
    Family("carrier", ages=(20, 45), sheet={"sex": "F"}),
    Family("no control", control=False),
    Family("low normal", ages=(6, 16), change=_share(SWITCHED, 0.06, 0.10)),
    # Patients
    Family("XHIM", AFFECTED, (1, 20), _NO_HELP),
    Family("XHIM toddler", AFFECTED, (0.8, 2), _NO_HELP),
    Family("XHIM infant", AFFECTED, (0.1, 0.7), _NO_HELP, "infant"),
    Family("leaky XHIM", OTHER, (2, 20), _share(SWITCHED, 0.004, 0.012)),
    Family("CD40 deficiency", AFFECTED, (1, 12), _all(_NO_HELP, _share(M_ONLY, 0.0, 0.004)), sheet={"igm_g_l": "3.0"}),
    Family("ICOS", AFFECTED, (4, 45), _NO_HELP),
    Family("AID", AFFECTED, (2, 40), _NO_SWITCH),
    Family("CVID", OTHER, (8, 55), _all(_share(SWITCHED, 0.0, 0.02), _share(PLASMA, 0.0, 0.001))),
    Family("CVID without memory", OTHER, (8, 55), _all(_share(SWITCHED, 0.0, 0.004), _share(MARGINAL, 0.0, 0.02),
           _share(PLASMA, 0.0, 0.001))),
    Family("BTK", OTHER, (1, 20), _set(b=(0.0002, 0.006)), "no B cells", refused=True, cells=(20, 150)),
    Family("rituximab", OTHER, (5, 60), _all(_share(SWITCHED, 0, 0.01), _share(MARGINAL, 0, 0.02),
           _share(IMMATURE, 0.5, 0.7)), "rituximab", refused=True, sheet={"b_depletion": "yes"}),
    Family("mixed chimerism", OTHER, (2, 18), _mixed, "transplanted", sheet={"transplant": "yes"}),
    # What disturbs
    Family("unwashed", HEALTHY, change=_set(eaten=(0.05, 0.3)), disturbance="unwashed", refused=True, measurable=False),
    Family("unwashed XHIM", AFFECTED, (1, 20), _all(_NO_HELP, _set(eaten=(0.05, 0.3))), "unwashed", refused=True,
           measurable=False),
    Family("T cells with B, no dump", AFFECTED, (1, 20), _all(_NO_HELP, _set(held=(0.003, 0.03))), "no dump",
           measurable=False, without=("CD3",)),
    Family("dim CD27", change=_set(memory_27=(40, 80)), disturbance="dim CD27"),
    Family("dim CD27, XHIM", AFFECTED, (1, 20), _all(_NO_HELP, _set(memory_27=(40, 80))), "dim CD27"),
    Family("dim IgD", change=_set(igd=(80, 160)), disturbance="dim IgD"),
    Family("few B cells", cells=_FEW, disturbance="few B cells", refused=True),
    Family("IgM-only cells", AFFECTED, (1, 20), _all(_NO_HELP, _share(M_ONLY, 0.04, 0.06)), "IgM-only"),
    Family("plasmablasts", AFFECTED, (1, 20), _all(_NO_HELP, _share(PLASMA, 0.08, 0.12)), "plasmablasts",
           cytometers=(0, 1)),
    Family("no FMO", tubes=("memory",), disturbance="no FMO"),
    Family("old blood", change=_set(lost=(0.4, 0.7), dead=(0.2, 0.4)), disturbance="old blood", measurable=False),
    Family("log amplifiers", disturbance="log", cytometers=(LOG,)),
    Family("log amplifiers, XHIM", AFFECTED, (1, 20), _NO_HELP, "log", cytometers=(LOG,)),
)  # fmt: skip


def write_run(folder: Path, family: Family, seed: int, samples: int) -> list[Case]:
    """Write a run of a family into an empty folder, ``config.yaml`` with its sheets and files, and return its truth.

    The run has one adult control (``C01``) unless the family has none. Everything depends on the seed and the family.
    """
    random = np.random.default_rng([seed, *family.name.encode()])
    cytometer = CYTOMETERS[family.cytometers[int(random.integers(len(family.cytometers)))]]
    cytometer = replace(cytometer, panel={m: at for m, at in cytometer.panel.items() if m not in family.without})
    stated = stated_spill(cytometer, random)
    day = {marker: math.exp(0.08 * random.standard_normal()) for marker in cytometer.panel}
    # Without CD38 plasmablasts are what CD27, IgD and IgM make of them.
    switched_subsets = (SWITCHED,) if "CD38" in cytometer.panel else (SWITCHED, PLASMA)
    (folder / "fcs").mkdir(parents=True)
    rows: list[dict[str, str]] = []
    tubes: list[tuple[str, str, str]] = []
    cases: list[Case] = []

    def written(name: str, blood: Blood, cells: float) -> tuple[int, float, float]:
        """Write a sample's tubes; return its B cells, D of CD27, and the switched share of the cells."""
        counted, apart, share = 0, math.nan, math.nan
        for reagent in family.tubes or ("memory", *cytometer.fmo):
            part = 1.0 if reagent == "memory" else min(1.0, 3000 / cells)
            lymphocytes = 1 - blood.monocytes - blood.granulocytes - blood.junk
            events = round(min(part * cells / (blood.b * lymphocytes * (1 - blood.dead) * 0.97), 250_000))
            tube = draw_tube(blood, reagent, events, random)
            dyes = {marker: factor * math.exp(0.02 * random.standard_normal()) for marker, factor in day.items()}
            fcs = f"{name}-{reagent}.fcs"
            write_tube(folder / "fcs" / fcs, tube, cytometer, stated, dyes, random)
            tubes.append((name, fcs, reagent))
            if reagent == "memory":
                b_cells = tube.subset[tube.b_cells()]
                counted, apart = b_cells.size, separation(tube, cytometer)
                share = float(np.isin(b_cells, switched_subsets).mean()) if counted else math.nan
        return counted, apart, share

    usual = {"run": "R1", "assay": "memory_b", "b_depletion": "no", "transplant": "no", "anticoagulant": "EDTA"}
    if family.control:
        written("C01", healthy_blood(33.0, random), 2500)
        rows.append({"sample": "C01", "role": "control", "sex": "F", "age_years": "33"} | usual)
    for number in range(samples):
        age = round(math.exp(random.uniform(math.log(family.ages[0]), math.log(family.ages[1]))), 2)
        blood = family.change(healthy_blood(age, random), random)
        name = f"S{number:02d}"
        b_events, apart, share_written = written(name, blood, math.exp(random.uniform(*np.log(family.cells))))
        rows.append({"sample": name, "role": "test", "sex": "M", "age_years": f"{age}"} | usual | family.sheet)
        share = sum(blood.subsets[subset] for subset in switched_subsets) / sum(blood.subsets)
        cases.append(
            Case(name, family.name, family.disturbance, family.kind, age, share, b_events, apart, family.refused,
                 family.measurable, share_written)
        )  # fmt: skip
    _write_sheets(folder, cytometer, rows, tubes)
    return cases


def _write_sheets(
    folder: Path, cytometer: Cytometer, rows: list[dict[str, str]], tubes: list[tuple[str, str, str]]
) -> None:
    spillover = "none" if cytometer.log else "file"
    text = f"samples: samples.tsv\ntubes: tubes.tsv\nfcs_dir: fcs\nspillover: {spillover}\n"
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = ["\t".join(columns), *("\t".join(row.get(column, "") for column in columns) for row in rows)]
    (folder / "samples.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = ["sample\tfcs\tstimulation\treagent"]
    lines += [f"{sample}\t{fcs}\tunstimulated\t{reagent}" for sample, fcs, reagent in tubes]
    (folder / "tubes.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
