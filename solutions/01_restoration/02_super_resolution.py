# %% [markdown]
# # Super-resolution of CT
#
# A scan with large voxels is quick and needs little dose. Can a network put back the detail that
# the voxels swallowed?
#
# After this lesson you can
#
# - name the ways in which a scanner loses detail, and simulate them from a real scan,
# - build the layer that lets a network work on few pixels and answer on many,
# - test whether a network that undoes one loss of detail also undoes another.

# %%
import os

from IPython.display import display

from course_lib.benchmark.job import run_here
from course_lib.lesson import dataset_here, show

# %% [markdown]
# **Parameters.** The benchmark runs this same notebook with other values. `profile` sets sizes and
# training steps: `smoke` takes seconds, `class` minutes, `full` wants a graphics card.

# %% tags=["parameters"]
task = "super_resolution"
method = "csn"
dataset = dataset_here(task)  # or another way of losing detail: see below
profile = os.environ.get("COURSE_PROFILE", "class")
seed = 0
options = "{}"
store = "runs"  # finished runs are kept here and not repeated
folder = None

# %% [markdown]
# ## 1 · The idea
#
# A block of slices of a real patient, and the same block with pixels three times as large.

# %% tags=["lesson"]
import torch

from course_lib import catalogue, device
from course_lib.lesson import exercise, guess, quiz
from course_lib.lesson.widgets.detail import detail_explorer
from course_lib.physics.resolution import gaussian

print(device.describe())
super_resolution = catalogue.question(task, dataset)
splits = super_resolution.make(dataset, profile, seed)
case = splits.validation.batch(slice(0, 1))
pixel_mm = float(splits.validation.spacing_mm[0, 2])
truth, coarse = (
    block[0, 0, block.shape[2] // 2] for block in (case["high_resolution"], case["low_resolution"])
)

# %% tags=["lesson"]
factor = max(splits.facts.scale)
show.images(
    {"truth": truth, f"pixels {factor} times as large": coarse},
    alt="A crop of a chest CT slice, sharp, and the same with coarse pixels and no small vessels.",
    window=(-1000, 400),
)

# %% [markdown]
# **What was measured, what was simulated?** The Hounsfield units of the fine slice come from a real
# scanner and a real patient. The coarse slice was computed from it.
#
# That is how nearly all super-resolution is trained: nobody has the same patient, at the same
# moment, at two resolutions. Keep this in mind for section 6.

# %% [markdown]
# **Who is tested?** One patient trains, four others are tested on. A held-out block of the training
# patient is reported apart.

# %% tags=["lesson"]
for part in ("train", "validation", "test"):
    cases = getattr(splits, part)
    print(f"{part}: {len(cases)} blocks of {', '.join(sorted(set(cases.subject)))}")

# %% [markdown]
# ## 2 · See the physics
#
# Detail is lost in more than one way.
#
# - **Bicubic** downsampling is what an image editor does. No scanner does it, most papers do.
# - **Blur and decimate**: a detector element averages over its width.
# - **K-space truncation**: an MR scanner measures low frequencies first, and stops. Here it is
#   applied to CT, so that only the loss differs, not the image.
# - **Thick slices**: the mean over several thin ones, and noise.

# %% [markdown]
# **Now move the knobs.** The right picture shows what interpolation cannot bring back.
#
# 1. Where are the errors? Look at walls and vessels, then at the heart.
# 2. Double the factor. By how many dB does interpolation fall?
# 3. Compare the kinds at the same factor. Which one leaves ripples beside edges?

# %% tags=["lesson"]
detail_explorer(truth, pixel_mm)

# %% [markdown]
# In symbols. $x$ is the fine image, $w$ a blur, $s$ the factor; coarse pixel $j$ is
#
# $$y_j = \sum_i w_i\, x_{s j + i}$$
#
# Many fine images give the same coarse one. Super-resolution picks one of them, and so needs to
# know what images look like.

# %% [markdown]
# ## 3 · Build it: blur and decimate
#
# Write the forward model along the columns. The weights of the blur are given, their sum is 1, and
# no pixels are added at the border.
#
# Torch can cut a line into overlapping windows: look for `unfold`.


# %% tags=["lesson"]
def blur_decimate(image, weights, factor):
    """Coarse pixels along the last axis of `image` (…, W), each a weighted mean of a window."""
    ### BEGIN SOLUTION
    windows = image.unfold(-1, len(weights), factor)
    return (windows * weights).sum(-1)
    ### END SOLUTION


# %% tags=["lesson"]
blur_decimate = exercise("super_resolution.blur_decimate").check(blur_decimate)

# %% [markdown]
# Three hints wait: where to look, the idea, nearly the code. Remove the `#` and run the cell.

# %% tags=["lesson"]
# exercise("super_resolution.blur_decimate").hint(1)

# %% [markdown]
# Your detector at work: first along the rows, then along the columns.

# %% tags=["lesson"]
scans = {"truth": truth}
for every in (2, 4):
    # The library's Gaussian, taken from the middle row of its matrix.
    weights = torch.tensor(gaussian(3 * every, every, float(every))[1]).float()
    low = blur_decimate(blur_decimate(truth, weights, every).mT, weights, every).mT
    scans[f"pixels {every} times as large"] = low
show.images(scans, alt="The slice with pixels two and four times as large.", window=(-1000, 400))

# %% [markdown]
# ## 4 · What interpolation can do
#
# Before any network: draw the smoothest curve through the samples. **Cubic splines** do that.
#
# Two scores follow. **PSNR** counts how far the pixels are off (higher is better). **Edge
# sharpness** compares gradients at the truth's edges: 1 is as sharp as the truth, less is blurred.

# %% tags=["lesson"]
from course_lib.fit import evaluate, fit


def report(name, model, cases):
    scores = evaluate(model, super_resolution, cases)
    print(f"{name}: {scores['psnr']:.2f} dB PSNR, edge sharpness {scores['edge_sharpness']:.2f}")
    return scores["psnr"]


spline = catalogue.build("cubic_spline")
for name in ("bicubic", "cubic_spline"):
    report(name, catalogue.build(name), splits.validation)

# %% [markdown]
# ## 5 · A network that learns
#
# **SRCNN** (Dong 2016) enlarges first, then sharpens with three convolutions: every one of them
# works on all the fine pixels.
#
# **ESPCN** (Shi 2016) turns this round. It computes on the coarse grid, with $r^2$ channels at the
# end, one for each place inside an enlarged pixel. A *pixel shuffle* lays them side by side.

# %% [markdown]
# **Build the shuffle.** Channel $r a + b$ of a coarse pixel goes to row $a$, column $b$ of its
# block of $r \times r$ fine pixels.


# %% tags=["lesson"]
def pixel_shuffle(features, factor):
    """(N, r², H, W) → (N, 1, r·H, r·W)."""
    ### BEGIN SOLUTION
    count, _, height, width = features.shape
    blocks = features.view(count, factor, factor, height, width)
    rows = blocks.permute(0, 3, 1, 4, 2)
    return rows.reshape(count, 1, factor * height, factor * width)
    ### END SOLUTION


# %% tags=["lesson"]
pixel_shuffle = exercise("super_resolution.pixel_shuffle").check(pixel_shuffle)

# %% tags=["lesson"]
# exercise("super_resolution.pixel_shuffle").hint(1)

# %% [markdown]
# The shuffle at work, without any network: nine channels, each one a ninth of the pixels of the
# truth. Nothing is lost, because nothing was averaged.

# %% tags=["lesson"]
size = 3 * (truth.shape[0] // 3)
ninths = [truth[a:size:3, b:size:3] for a in range(3) for b in range(3)]
whole = pixel_shuffle(torch.stack(ninths)[None], 3)
show.images(
    {"one channel": ninths[0], "nine channels, shuffled": whole},
    alt="A coarse slice, one of nine, and the fine slice that all nine make together.",
    window=(-1000, 400),
)

# %% [markdown]
# **CSN** (Zhao 2019) goes on from there. It splits its channels into halves: one refines what is
# known, the other looks for something new, and each block hands both the mean of the two.

# %% tags=["lesson"]
csn = catalogue.build("csn").fresh(splits.facts)
show.source(type(csn.body[0]).forward)

# %% [markdown]
# The next cell trains and tests. It is the cell that the benchmark runs, for every method, data
# set and seed. In `class` it takes up to a minute; a run that is already in `store` is only read.

# %% [markdown]
# **Predict first.** Does CSN beat the cubic spline on test patients, and by how many dB?

# %% tags=["lesson"]
guess.winner(
    "super_resolution.csn",
    who="",  # "CSN" or "cubic spline"
    by=None,  # how many dB
    among=("CSN", "cubic spline"),
    unit="dB",
    store=store,
)

# %%
record = run_here(
    task=task,
    method=method,
    dataset=dataset,
    profile=profile,
    seed=seed,
    options=options,
    store=store,
    folder=folder,
)

# %%
display(show.curve(record), show.strip(record, folder or store))

# %% [markdown]
# The block below the curve was picked by rule: the median test block by PSNR, among patients that
# the network never saw. Purple and orange in the error image mark edges that are still too soft.

# %% tags=["lesson"]
interpolated = run_here(task, "cubic_spline", dataset, profile, seed, store=store)
for each in (interpolated, record):
    scores = show.mean_scores(each)
    text = ", ".join(f"{name} {value:.3g}" for name, value in scores.items())
    print(f"{each['job']['method']}, mean over test patients: {text}")

# %% tags=["lesson"]
guess.compare(
    "super_resolution.csn",
    {
        "CSN": show.mean_scores(record)["psnr"],
        "cubic spline": show.mean_scores(interpolated)["psnr"],
    },
    unit="dB",
    store=store,
)

# %% tags=["lesson"]
show.outputs({"cubic spline": interpolated, record["job"]["method"]: record}, store)

# %% [markdown]
# ## 6 · Break it
#
# The networks of the survey's section 2.1.2 all learn from simulated pairs. So what they gain is a
# gain on *one* simulated loss of detail.
#
# Does it carry over? We train once on bicubic downsampling, and test on the same patients with
# detail lost in other ways. (In `smoke` nothing is trained long enough to tell.)

# %% tags=["lesson"]
patients = dataset.partition("/")[0]
known = super_resolution.make(f"{patients}/bicubic_x3", profile, seed)
trained = catalogue.build("csn")
history = fit(trained, super_resolution, known, profile=profile, seed=seed, progress=False)
print(f"{history.steps} steps on bicubic_x3 in {history.seconds:.0f} s")

# %% tags=["lesson"]
gain = {}
for kind in ("bicubic", "blur", "kspace"):
    cases = super_resolution.make(f"{patients}/{kind}_x3", profile, seed).test
    gain[kind] = report(f"{kind}, CSN", trained, cases)
    gain[kind] -= report(f"{kind}, cubic spline", spline.fresh(cases.facts), cases)

# %% tags=["lesson"]
for kind in ("blur", "kspace"):
    text = f"The gain over splines is larger on bicubic than on {kind}"
    print(show.seen(text, gain["bicubic"], gain[kind], "dB"))

# %% [markdown]
# **Why?** The network has learnt the inverse of one blur. Truncated k-space keeps low frequencies
# whole and has ripples: a network that sharpens and has seen no ripples can do worse than splines.
#
# A Gaussian blurs more than the bicubic kernel. There any sharpening helps, so a gain may stay, but
# compare the absolute scores too: both methods fall.
#
# **Read with care.** This is one seed, a few hundred steps and one training patient. If a half of
# the claim failed in your run, that is a result too: look at the numbers above.

# %% [markdown]
# **One network for many factors.** ReCNN (Pham 2019) sees interpolated 3D blocks, each batch with
# mixed factors (2, 3, 4). So the same weights can be asked for any factor, also for 6, which they
# never saw.

# %% tags=["lesson"]
recnn = catalogue.build("recnn_3d", layers=4)  # a shallow one, to be done within a minute
fit(recnn, super_resolution, known, profile=profile, seed=seed, progress=False)
for number in (2, 3, 4, 6):
    cases = super_resolution.make(f"{patients}/bicubic_x{number}", profile, seed).validation
    recnn.facts = cases.facts  # the same weights, asked for another factor
    report(f"x{number}, ReCNN", recnn, cases)
    report(f"x{number}, cubic spline", spline.fresh(cases.facts), cases)

# %% [markdown]
# ## 7 · The leaderboard
#
# The default benchmark, and the runs you just made.

# %% [markdown]
# Each row is a paper. Its card, unfolded: the idea, the equation, the drawing with the sizes of this
# lesson, what was shrunk, what it claims and whether that held here, and a question to think about.

# %% tags=["lesson"]
show.cards("bicubic", "cubic_spline")

# %% tags=["lesson"]
show.cards("srcnn", "espcn", "recnn_3d", "csn", on=(super_resolution, splits, profile))

# %% tags=["lesson"]
show.leaderboard(task, store)

# %% [markdown]
# ## 8 · What do you remember?

# %% tags=["lesson"]
quiz("super_resolution")

# %% [markdown]
# ## Recap
#
# - Detail is lost by averaging over pixels and slices, or by leaving out frequencies. The fine
#   images here are measured, their coarse versions simulated.
# - Interpolation adds nothing; a network adds what images usually look like.
# - A pixel shuffle lets it compute on the coarse grid; interpolation first lets it serve any
#   factor.
# - A gain belongs to the degradation that was trained on. And plausible detail is not measured
#   detail: a vessel that was swallowed may come back in the wrong place, or not at all.
#
# **To go on**: run this notebook with `dataset = "chest_ct/thick_x3"`, where detail is lost between
# slices, or with `method = "recnn_3d"`.

# %% [markdown]
# ## References
#
# - The survey: Wang L, Qin Y 2020, section 2.1.2,
#   doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056)
# - SRCNN: Dong C et al. 2016, IEEE TPAMI 38(2),
#   doi [10.1109/TPAMI.2015.2439281](https://doi.org/10.1109/TPAMI.2015.2439281)
# - ESPCN: Shi W et al. 2016, CVPR,
#   doi [10.1109/CVPR.2016.207](https://doi.org/10.1109/CVPR.2016.207)
# - CSN: Zhao X et al. 2019, IEEE TIP 28(11),
#   doi [10.1109/TIP.2019.2921882](https://doi.org/10.1109/TIP.2019.2921882)
# - ReCNN: Pham C-H et al. 2019, Computerized Medical Imaging and Graphics 77,
#   doi [10.1016/j.compmedimag.2019.101647](https://doi.org/10.1016/j.compmedimag.2019.101647)
# - Chest CT: LIDC-IDRI-0001, CC BY 3.0,
#   doi [10.1118/1.3528204](https://doi.org/10.1118/1.3528204)
# - Lung tumours: doi [10.17195/candat.2016.08.1](https://doi.org/10.17195/candat.2016.08.1),
#   CC BY-NC 3.0
