"""What a laboratory would write today: FlowKit, scikit-learn and matplotlib on every tube, in one process.

``python -m benchmarks.speed.peer_script RESULTS FCS OUT``: reads, compensates, puts on the logicle scale, gates where
the results of our pipeline put the gates, fits Gaussian mixtures of one to three components to the target of the
activated cells, takes the one with the best BIC, and draws six panels a tube. Prints the negative fraction of every
tube.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import flowkit
import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm
from sklearn.mixture import GaussianMixture

mpl.use("Agg")
import matplotlib.pyplot as plt


def boundary(result: dict[str, Any], gate: str, tube: str, value: str) -> float:
    """Return where a gate of a tube lies in a result."""
    return float(next(g[value] for g in result["gates"] if g["gate"] == gate and g["tube"] in (None, tube)))


def strategy(result: dict[str, Any], tube: dict[str, Any], matrix: flowkit.Matrix) -> flowkit.GatingStrategy:
    """Return the gates of one tube as FlowKit wants them."""
    gates = flowkit.GatingStrategy()
    gates.add_comp_matrix("spillover", matrix)
    for name, scale in result["scales"].items():
        gates.add_transform(name, logicle(scale))
    polygon = next(g["vertices"] for g in result["gates"] if g["gate"] == "lymphocytes")
    low, high = (boundary(result, f"singlet_{side}", tube["fcs"], "value") for side in ("low", "high"))
    top = 262144.0
    add = gates.add_gate
    scatter = [flowkit.Dimension(name) for name in ("FSC-A", "SSC-A")]
    add(flowkit.gates.PolygonGate("lymphocytes", scatter, polygon), ("root",))
    wedge = [(0.0, 0.0), (top, top * low), (top, top * high)]
    pulse = [flowkit.Dimension(name) for name in ("FSC-H", "FSC-A")]
    path: tuple[str, ...] = ("root", "lymphocytes")
    add(flowkit.gates.PolygonGate("singlets", pulse, wedge), path)
    path = (*path, "singlets")
    for marker, gate, below in (
        ("viability", "viability_high", True),
        ("CD3", "cd3_low", False),
        ("CD8", "cd8_high", True),
        ("CD69", "cd69_low", False),
    ):
        name = tube["markers"][marker]
        edge = boundary(result, gate, tube["fcs"], "scaled")
        limits = {"range_max" if below else "range_min": edge}
        dimension = flowkit.Dimension(name, "spillover", name, **limits)
        add(flowkit.gates.RectangleGate(marker, [dimension]), path)
        path = (*path, marker)
    return gates


def logicle(scale: dict[str, Any]) -> Any:
    return flowkit.transforms.LogicleTransform(scale["t"], scale["w"], scale["m"], scale["a"])


def best_mixture(values: Any) -> GaussianMixture:
    """Return the mixture of one to three components with the best BIC."""
    fits = [GaussianMixture(k, random_state=0).fit(values[:, None]) for k in (1, 2, 3)]
    return min(fits, key=lambda fit: fit.bic(values[:, None]))


def draw(sample: flowkit.Sample, tube: dict[str, Any], members: Any, values: Any, out: Path) -> None:
    """Draw five density plots and the histogram of the target."""
    scaled = sample.as_dataframe(source="xform", col_names=sample.pnn_labels)
    markers = tube["markers"]
    pairs = [("FSC-A", "SSC-A"), ("FSC-H", "FSC-A"), ("FSC-A", markers["viability"])]
    pairs += [(markers["CD3"], markers["CD8"]), (markers["CD69"], markers["target"])]
    figure, axes = plt.subplots(2, 3, figsize=(12, 8))
    for axis, (x, y) in zip(axes.flat, pairs, strict=False):
        axis.hist2d(scaled[x], scaled[y], bins=200, norm=LogNorm())
        axis.set(xlabel=x, ylabel=y)
    axes.flat[-1].hist(values, bins=200)
    axes.flat[-1].set(xlabel=markers["target"], title=f"{int(members.sum())} activated cells")
    figure.savefig(out, dpi=100)
    plt.close(figure)


def main() -> None:
    results, fcs, out = map(Path, sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(results.glob("*/result.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        for tube in result["tubes"]:
            sample = flowkit.Sample(fcs / tube["fcs"])
            matrix = flowkit.Matrix(sample.metadata["spillover"], tube["spillover"]["detectors"])
            sample.apply_compensation(matrix)
            sample.apply_transform({name: logicle(scale) for name, scale in result["scales"].items()})
            gated = strategy(result, tube, matrix).gate_sample(sample)
            members = gated.get_gate_membership("CD69")
            column = sample.pnn_labels.index(tube["markers"]["target"])
            values = np.asarray(sample.get_events(source="xform"))[members, column]
            mixture = best_mixture(values)
            lowest = int(np.argmin(mixture.means_[:, 0]))
            draw(sample, tube, members, values, out / f"{tube['fcs']}.png")
            print(tube["fcs"], int(members.sum()), f"{mixture.weights_[lowest]:.4f}", sep="\t")


if __name__ == "__main__":
    main()
