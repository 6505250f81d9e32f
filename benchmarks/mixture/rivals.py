"""What others would do with the same cells: a threshold, scikit-learn, a free skew-normal mixture, mclust."""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from functools import cache
from tempfile import NamedTemporaryFile

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr

from cd40l_flow.base.model import Floats

MOST_COMPONENTS = 4
NEAR = 2.0  # robust SD of the background within which a component counts as negative


def by_threshold(cells: Floats, background: Floats) -> float:
    """Return the share of the cells at or below the background's 99th percentile, corrected for the 1 % beyond it."""
    below = float(np.mean(cells <= np.quantile(background, 0.99)))
    return min(below / 0.99, 1.0)


def by_scikit_learn(scaled: Floats, centre: float, sd: float) -> tuple[float, int, float]:
    """Return the weight near the background by `GaussianMixture`, its components by BIC, and the seconds of k = 2.

    Defaults but for the seed; ``scaled`` are values on the logicle scale, ``centre`` and ``sd`` the background's.
    """
    from sklearn.mixture import GaussianMixture

    data = scaled[:, None]
    fits, seconds = [], 0.0
    for k in range(1, MOST_COMPONENTS + 1):
        start = time.perf_counter()
        fits.append(GaussianMixture(k, random_state=0).fit(data))
        if k == 2:
            seconds = time.perf_counter() - start
    best = min(fits, key=lambda fit: fit.bic(data))
    near = np.abs(best.means_[:, 0] - centre) < NEAR * sd
    return float(best.weights_[near].sum()), int(best.n_components), seconds


def by_skew_normals(counts: Floats, grid: Floats, centre: float, sd: float) -> float:
    """Return the weight of the lower of two free skew-normals fitted to binned values by scipy (Nelder-Mead, BFGS)."""

    def density(location: float, log_width: float, alpha: float) -> Floats:
        z = (grid - location) / math.exp(log_width)
        p: Floats = np.exp(-0.5 * z**2 + log_ndtr(alpha * z))
        return p / max(float(p.sum()), 1e-300)

    def objective(theta: Floats) -> float:
        weight = 1 / (1 + math.exp(-float(np.clip(theta[0], -9, 9))))
        p = weight * density(*np.clip(theta[1:4], -6, 6)) + (1 - weight) * density(*np.clip(theta[4:7], -6, 6))
        return -float(counts @ np.log(np.maximum(p, 1e-12)))

    top = float(np.interp(0.8, np.cumsum(counts) / counts.sum(), grid))
    start = np.array((0.0, centre, math.log(sd), 0.1, max(top, centre + 2 * sd), math.log(1.5 * sd), -0.5))
    found = minimize(objective, start, method="BFGS", options={"maxiter": 200})
    theta = found.x
    means = [float(grid @ density(*np.clip(part, -6, 6))) for part in (theta[1:4], theta[4:7])]
    weight = 1 / (1 + math.exp(-float(np.clip(theta[0], -9, 9))))
    return weight if means[0] <= means[1] else 1 - weight


@cache
def mclust_there() -> bool:
    """Return whether R with its package mclust is installed."""
    if shutil.which("Rscript") is None:
        return False
    shown = subprocess.run(
        ["Rscript", "-e", "cat(requireNamespace('mclust', quietly=TRUE))"], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip() == "TRUE"


def by_mclust(scaled: Floats, centre: float, sd: float) -> float:
    """Return the weight near the background by R's mclust, unequal variances, components by BIC."""
    with NamedTemporaryFile("w", suffix=".txt") as file:
        np.savetxt(file.name, scaled)
        script = (
            f"suppressMessages(library(mclust)); m <- Mclust(scan('{file.name}', quiet=TRUE), G=1:{MOST_COMPONENTS},"
            " modelNames='V', verbose=FALSE); cat(m$parameters$pro, m$parameters$mean)"
        )
        shown = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=True)
    weights, means = np.split(np.array([float(word) for word in shown.stdout.split()]), 2)
    return float(weights[np.abs(means - centre) < NEAR * sd].sum())
