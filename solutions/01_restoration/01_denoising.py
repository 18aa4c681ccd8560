# %% [markdown]
# # Denoising low-dose CT
#
# Fewer X-rays harm the patient less and show less. Can a network give back what the saved photons
# would have shown?
#
# After this lesson you can
#
# - say where the noise of a CT scan comes from, and simulate it from a real scan,
# - compare a filter and a network fairly, on patients that neither has seen,
# - explain why the network with the best PSNR can be the one whose image looks like plastic.

# %%
import os

from IPython.display import display

from course_lib.benchmark.job import run_here
from course_lib.lesson import dataset_here, show

# %% [markdown]
# **Parameters.** The benchmark runs this same notebook with other values. `profile` sets sizes and
# training steps: `smoke` takes seconds, `class` minutes, `full` wants a graphics card.

# %% tags=["parameters"]
task = "denoising"
method = "red_cnn"
dataset = dataset_here(task)  # or "chest_ct", without the set that is not for commerce
profile = os.environ.get("COURSE_PROFILE", "class")
seed = 0
options = "{}"
store = "runs"  # finished runs are kept here and not repeated
folder = None

# %% [markdown]
# ## 1 · The idea
#
# One slice of a real patient, scanned twice: with many photons and with few. Nothing else differs.

# %% tags=["lesson"]
import torch

from course_lib import catalogue, device
from course_lib.lesson import exercise, guess, quiz
from course_lib.lesson.widgets.dose import dose_explorer
from course_lib.physics import ct
from course_lib.tasks.denoising.low_dose import LOW_PHOTONS, NORMAL_PHOTONS

print(device.describe())
denoising = catalogue.question(task, dataset)
splits = denoising.make(dataset, profile, seed)
case = splits.validation.batch(slice(0, 1))
pixel_mm = splits.facts.pixel_mm

# %% tags=["lesson"]
saved = f"low dose: 1/{NORMAL_PHOTONS / LOW_PHOTONS:.0f} of the photons"
show.images(
    {"normal dose": case["normal_dose"], saved: case["low_dose"]},
    alt="A chest CT slice at normal dose, clean, and at low dose, grainy with fine streaks.",
    pixel_mm=pixel_mm,
)

# %% [markdown]
# **What was measured, what was simulated?** The Hounsfield units come from a real scanner and a
# real patient. Both scans you see were then simulated from them: projection, photon noise,
# reconstruction.
#
# Nobody scans a patient twice for a course. The simulation gives what training needs and clinics
# rarely have: the same anatomy at two doses. As on a real scanner, thicker patients are given more
# photons, so that as many arrive behind them.

# %% [markdown]
# **Who is tested?** A network is trained on one patient and tested on four others. Slices of one
# patient resemble each other, so a test on the training patient would flatter it.

# %% tags=["lesson"]
for part in ("train", "validation", "test"):
    cases = getattr(splits, part)
    print(f"{part}: {len(cases)} slices of {', '.join(sorted(set(cases.subject)))}")

# %% [markdown]
# ## 2 · See the physics
#
# Along one ray, tissue swallows a share of the photons. Thicker or denser tissue swallows more;
# every further centimetre takes the same *share* of what is left.
#
# Photons come one by one, at random moments. Expect 100 and you may count 92 or 107: the spread is
# the square root of the count.
#
# So a ray through the shoulders, where few photons pass, is far noisier than a ray through the
# lung. The next figure shows this for single rays.

# %% tags=["lesson"]
thickness = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
spread = {}
for photons in (1e6, 3e4, 3e3):
    rays = torch.tensor(thickness)[:, None].expand(-1, 20_000)
    noisy = ct.low_dose_sinogram(rays, photons, generator=torch.Generator().manual_seed(0))
    spread[photons] = noisy.std(dim=1).tolist()
show.noise_law(thickness, spread)

# %% [markdown]
# In symbols. $N_0$ photons leave the tube, $p$ is the line integral of the attenuation along the
# ray (Beer and Lambert):
#
# $$N \sim \mathrm{Poisson}(N_0\, e^{-p}), \qquad \hat p = -\ln\frac{N}{N_0}, \qquad
# \operatorname{std}(\hat p) \approx \sqrt{e^{p} / N_0}$$
#
# The law holds while many photons arrive. When only a handful do, the logarithm of a tiny count is
# no small disturbance any more, and a count of zero has no logarithm at all.

# %% [markdown]
# **Now turn the dose knob.** This is the training patient again. The number in the title is the
# noise in the marked square.
#
# 1. Cut the photons to a quarter. By how much does the noise grow?
# 2. Take fewer views. The streaks that come now are not noise: they stay at any dose.
# 3. Change the filter. Which one is smooth, and what does it cost?

# %% tags=["lesson"]
dose_explorer(case["normal_dose"], pixel_mm)

# %% [markdown]
# ## 3 · Build it: a low-dose scan in three lines
#
# Write the heart of the simulator. From noise-free line integrals, return what a detector that
# counts photons would report.
#
# Torch has a function for the Poisson draw. It takes the expected counts and a `generator`, so that
# the same seed gives the same scan. No count may be smaller than 1, for the logarithm's sake.


# %% tags=["lesson"]
def noisy_scan(line_integrals, photons, generator):
    """Noisy line integrals, same shape, of a scan with `photons` per ray."""
    ### BEGIN SOLUTION
    expected = photons * torch.exp(-line_integrals)
    counts = torch.poisson(expected, generator=generator)
    return -torch.log(counts.clamp(min=1) / photons)
    ### END SOLUTION


# %% tags=["lesson"]
noisy_scan = exercise("denoising.noisy_scan").check(noisy_scan)

# %% [markdown]
# Three hints wait: where to look, the idea, nearly the code. Remove the `#` and run the cell.

# %% tags=["lesson"]
# exercise("denoising.noisy_scan").hint(1)

# %% [markdown]
# Your scanner at work. Project the slice, let photons be counted, reconstruct.

# %% tags=["lesson"]
beam = ct.ParallelBeam(case["normal_dose"].shape[-1], 180, pixel_mm)
clean = beam.forward(ct.hu_to_attenuation(case["normal_dose"]))
scans = {}
for photons in (1e5, 1e4, 1e3):
    noisy = noisy_scan(clean, photons, torch.Generator().manual_seed(seed))
    scans[f"{photons:,.0f} photons"] = ct.attenuation_to_hu(beam.fbp(noisy))
show.images(scans, alt="The slice scanned at falling dose: more and more grain and streaks.")

# %% [markdown]
# The streaks run sideways: that is the long way through the body, where fewest photons arrive.
#
# ## 4 · A filter that does not learn
#
# Before any network, ask what an old idea can do. **Non-local means** replaces each pixel by a mean
# of pixels whose surroundings look alike (Buades 2005).
#
# Its strength must be chosen. We choose it on validation slices, never on test slices: a setting
# picked on the test set knows the answers.

# %% tags=["lesson"]
from course_lib.fit import evaluate, fit

nlm = catalogue.build("non_local_means")
history = fit(nlm, denoising, splits, profile=profile, seed=seed, progress=False)
print(f"chosen among {history.candidates} settings: {history.chosen}")
for name, candidate in {"noisy scan": catalogue.build("noisy_input"), "filtered": nlm}.items():
    scores = evaluate(candidate, denoising, splits.validation)
    psnr, texture = scores["psnr"], scores["nps_distance"]
    print(f"{name}: {psnr:.1f} dB PSNR, {texture:.1f} dB from the true texture")

# %% tags=["lesson"]
show.images(
    {"low dose": case["low_dose"], "filtered": nlm.predict(case), "truth": case["normal_dose"]},
    alt="The low-dose slice, the same after non-local means, and the normal-dose slice.",
    pixel_mm=pixel_mm,
)

# %% [markdown]
# Two scores were printed. **PSNR** counts how far the pixels are off, on average (higher is
# better). The **texture distance** compares the noise power spectrum in flat tissue with that of
# the normal-dose scan: 0 means the same grain (lower is better). Keep an eye on both.

# %% [markdown]
# ## 5 · A network that learns: RED-CNN
#
# RED-CNN (Chen 2017) looks at pairs of low and normal dose and learns to go from one to the other.
#
# Convolutions squeeze the image at its border only, without pooling. Transposed convolutions widen
# it again. Three shortcuts hand over detail, one of them from input to output: what is left for
# the network to learn is the noise.

# %% tags=["lesson"]
red_cnn = catalogue.build("red_cnn")
show.source(type(red_cnn).forward)

# %% [markdown]
# Its loss is one line, the mean squared error. The same training loop serves every method of the
# course: it steps a *player* when the method yields a loss for it. Here the only player is the
# network.

# %% tags=["lesson"]
show.source(type(red_cnn).losses)

# %% [markdown]
# The next cell trains and tests. It is the cell that the benchmark runs, for every method, data
# set and seed. In `class` it takes up to a minute; a run that is already in `store` is only read.

# %% [markdown]
# **Predict first.** Three networks are trained below: RED-CNN, and twice the generator of
# WGAN-VGG, once with a pixel loss (MSE), once with its own. Which has the highest PSNR on the test
# patients? Write it into the cell, by how much, and run it.

# %% tags=["lesson"]
guess.winner(
    "denoising.losses",
    who="",  # "RED-CNN" or "MSE" or "WGAN-VGG"
    by=None,  # how many dB
    among=("RED-CNN", "MSE", "WGAN-VGG"),
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
# The slice below the curve was picked by rule: the median test slice by PSNR, among patients that
# the network never saw. In the error image, structure would mean lost anatomy; grain means noise.
#
# The test scans are crops around a tumour. A made-up chest, the plain ring, surrounds each one, so
# that the photons have as much to cross as in a whole patient. Only the crop is scored.

# %% tags=["lesson"]
scores = show.mean_scores(record)
text = ", ".join(f"{name} {value:.3g}" for name, value in scores.items())
print(f"{record['job']['method']}, mean over test patients: {text}")

# %% [markdown]
# ## 6 · Break it
#
# The survey says of networks trained on the mean squared error that they blur detail and lose
# texture, and that an adversarial and a perceptual loss mend this (section 2.1.1).
#
# That is a claim. Let us test it with **one** generator, eight plain convolutions, trained twice:
# first with the mean squared error alone. (In `smoke` nothing is trained long enough to tell.)


# %% tags=["lesson"]
def train(**weights):
    """The WGAN-VGG generator, trained with these loss weights, as a job of the benchmark."""
    return run_here(task, "wgan_vgg", dataset, profile, seed, options=weights, store=store)


mse = train(adversarial=0.0, perceptual=0.0, pixel=1.0)

# %% [markdown]
# Then as **WGAN-VGG** (Yang 2018). A critic learns to tell its output from normal-dose images, and
# a frozen network compares deep features. No pixel loss at all.
#
# One honest difference from the paper: its features come from VGG-19, ours from a small network
# (EfficientNet-Lite0), also trained on photographs.

# %% tags=["lesson"]
wgan = train()

# %% tags=["lesson"]
noisy = run_here(task, "noisy_input", dataset, profile, seed, store=store)
points = {"noisy scan": noisy, "MSE": mse, "WGAN-VGG": wgan, record["job"]["method"]: record}
points = {name: show.mean_scores(each) for name, each in points.items()}
show.trade_off(points, across="nps_distance", up="psnr", metrics=record["metrics"])

# %% [markdown]
# Best would be top left: near the true pixels *and* near the true texture. What did your run show?

# %% tags=["lesson"]
print(show.claim("MSE has a higher PSNR than WGAN-VGG", mse, wgan, "psnr"))
print(show.claim("WGAN-VGG is nearer to the true texture than MSE", wgan, mse, "nps_distance"))

# %% tags=["lesson"]
guessed = {"RED-CNN": record, "MSE": mse, "WGAN-VGG": wgan}
guess.compare(
    "denoising.losses",
    {name: show.mean_scores(each)["psnr"] for name, each in guessed.items()},
    unit="dB",
    store=store,
)

# %% tags=["lesson"]
show.outputs({"MSE": mse, "WGAN-VGG": wgan}, store)

# %% [markdown]
# **Why would MSE smooth?** Many images fit one noisy scan. The answer with the least squared error
# is their average, and an average has no grain.
#
# **Read with care.** This is one seed, a few hundred steps and four patients. If a half of the
# claim failed in your run, that is a result too: try `seed = 1`, or more steps in `full`.
#
# And texture is not truth. A critic is content with *plausible* grain, and could be content with a
# plausible vessel that is not there. Whether a nodule is still found, neither number says.

# %% [markdown]
# ## 7 · The leaderboard
#
# The default benchmark, and the runs you just made.

# %% [markdown]
# Each row is a paper. Its card, unfolded: the idea, the equation, the drawing with the sizes of this
# lesson, what was shrunk, what it claims and whether that held here, and a question to think about.

# %% tags=["lesson"]
show.cards("noisy_input", "median", "non_local_means", "total_variation", "bm3d")

# %% tags=["lesson"]
show.cards("cnn_dae", "red_cnn", "wgan_vgg", "aapm_net", on=(denoising, splits, profile))

# %% tags=["lesson"]
show.cards("wgan", "wgan_gp", "lsgan", "ma_lsgan", on=(denoising, splits, profile))

# %% tags=["lesson"]
show.cards("smgan", "dp_resnet", "noise2noise", "consensus_net")

# %% tags=["lesson"]
show.leaderboard(task, store)

# %% [markdown]
# **A filter leads, and that is a result.** In the default benchmark BM3D stands above every
# network. It was told how the scanner's noise is coloured (filtered back-projection makes it grow
# with frequency), and validation chose its strength. The networks had about a minute.
#
# Papers often compare with a BM3D that believes the noise is white: a weaker opponent. When you
# read "better than classical methods", ask how well the classical method was informed.
#
# **And CNN-DAE, below the noisy scan?** All it knows passes through a pooled bottleneck. In a few
# hundred steps it learns smooth tissue, but not yet where the edges are.

# %% [markdown]
# ## 8 · What do you remember?

# %% tags=["lesson"]
quiz("denoising")

# %% [markdown]
# ## Recap
#
# - Noise in CT comes from counting photons. It grows with the thickness of the body and falls with
#   the square root of the dose.
# - Input and target here are simulated from measured Hounsfield units; only the dose differs.
# - Settings are chosen on validation slices, results come from patients never seen.
# - PSNR and texture are two axes. The loss decides where on the plane a network lands.
#
# **To go on**: run this notebook with `method = "cnn_dae"` or `"bm3d"`; write a loss between the
# two (`train(pixel=0.5)`); or run all methods with `course bench`.

# %% [markdown]
# ## References
#
# - The survey: Wang L, Qin Y 2020, section 2.1.1,
#   doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056)
# - RED-CNN: Chen H et al. 2017, IEEE TMI 36(12),
#   doi [10.1109/TMI.2017.2715284](https://doi.org/10.1109/TMI.2017.2715284)
# - WGAN-VGG: Yang Q et al. 2018, IEEE TMI 37(6),
#   doi [10.1109/TMI.2018.2827462](https://doi.org/10.1109/TMI.2018.2827462)
# - Non-local means: Buades A, Coll B, Morel J-M 2005, CVPR,
#   doi [10.1109/CVPR.2005.38](https://doi.org/10.1109/CVPR.2005.38)
# - Chest CT: LIDC-IDRI-0001, CC BY 3.0,
#   doi [10.1118/1.3528204](https://doi.org/10.1118/1.3528204)
# - Lung tumours: doi [10.17195/candat.2016.08.1](https://doi.org/10.17195/candat.2016.08.1),
#   CC BY-NC 3.0
