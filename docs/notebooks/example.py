# %% [markdown]
# # cd40l-flow in a notebook
#
# Written by `python -m docs.notebook` from `docs/notebooks/example.py`; a test runs it again and compares. Run it in
# the folder of the project, whose simulated cohort it uses, or change the paths to your own files.

# %%
import matplotlib.pyplot as plt
import numpy as np

import cd40l_flow.api as cd

folder = "test_data/fcs"

# %% [markdown]
# ## Read
# Events come compensated, on the linear scale. The detectors were found by their labels.

# %%
stimulated = cd.read(f"{folder}/P05_stim_cd154.fcs")
print(stimulated.values.shape[0], "events;", dict(stimulated.markers))

# %% [markdown]
# A background tube does not say which detector it is the background of, so it is stated; likewise that a tube was not
# stimulated.

# %%
target = stimulated.markers["target"]
isotype = cd.read(f"{folder}/P05_stim_isotype.fcs", reagent="isotype", detectors={"target": target})
resting = cd.read(f"{folder}/P05_unstim_cd154.fcs", stimulation="unstimulated")

# %% [markdown]
# ## Gate
# Boundaries are found on the three tubes together.

# %%
gated = cd.gate([resting, stimulated, isotype], name="P05")
for population in gated.tubes[1].populations:
    share = f"{population.percent_of_parent:5.1f} % of {population.parent}"
    print(f"{population.population:14s} {population.count:6d}  {share}")

# %%
scale = gated.scales[target]
activated = cd.target_cells(gated, "CD154")
background = cd.target_cells(gated, "isotype")
bins = np.linspace(0, 1, 80)
plt.hist(scale.forward(background), bins, density=True, color="0.7", label="isotype")
plt.hist(scale.forward(activated), bins, density=True, histtype="step", color="C0", label="CD154")
plt.xlabel("logicle scale")
plt.legend()
plt.show()

# %% [markdown]
# ## Fit
# Two populations, one of them where the background is. The interval is 95 %.

# %%
found = cd.fit(activated, background, scale=scale)
print(f"percent positive   {found.percent_positive:.1f} %")
interval = f"{found.negative_fraction_low:.3f} to {found.negative_fraction_high:.3f}"
print(f"negative fraction  {found.negative_fraction:.3f} ({interval})")
print(f"Ashman's D         {found.separation:.1f}")

# %% [markdown]
# ## Call
# A call needs the control of the run, the sheets and every check: the same as in the workflow, bit for bit.

# %%
called = cd.call("test_data/config/config.yaml", "P05", directory="test_data")
called.result.call, called.result.reasons, called.result.statement

# %% [markdown]
# ## Report
# One HTML file that opens offline.

# %%
cd.report(called, "build/P05.html")
