# %% [markdown]
# # Reconstructing CT from few views
#
# Every view of a CT costs dose and time. How many can be left out before the image falls apart, and
# can a network that knows anatomy put it together again?
#
# After this lesson you can
#
# - reconstruct a slice by filtered back-projection, and tell a streak from noise,
# - say what "raw data" means, and take a step that makes an image agree with them,
# - test whether a network should see the sinogram or only the image made from it.

# %%
import os

from IPython.display import display

from course_lib.benchmark.job import run_here
from course_lib.lesson import dataset_here, show

# %% [markdown]
# **Parameters.** The benchmark runs this same notebook with other values. The data set's name ends
# with the acquisition: `30_views`, `60_views`, `15_views`, or the arc of `120_degrees`.

# %% tags=["parameters"]
task = "reconstruction_ct"
method = "jsr_net"
dataset = dataset_here(task)  # or "chest_ct/30_views", without the set that is not for commerce
profile = os.environ.get("COURSE_PROFILE", "class")
seed = 0
options = "{}"
store = "runs"  # finished runs are kept here and not repeated
folder = None

# %% [markdown]
# ## 1 · The idea
#
# A CT scanner does not see slices. It sees shadows, one for each direction. Here is a slice of a
# real patient, and what is reconstructed from 30 shadows of it.

# %% tags=["lesson"]
import torch

from course_lib import catalogue, device
from course_lib.lesson import exercise, guess, quiz
from course_lib.lesson.widgets.views import views_explorer
from course_lib.parts.hounsfield import hounsfield
from course_lib.parts.scanner import scanner
from course_lib.physics import ct

print(device.describe())
torch.set_num_threads(1)  # networks this small are faster on one core than on two
reconstruction = catalogue.question(task, dataset)
splits = reconstruction.make(dataset, profile, seed)
case = splits.validation.batch(slice(0, 1))
pixel_mm = splits.facts.pixel_mm

# %% tags=["lesson"]
show.images(
    {"the patient": case["target"], "what its shadows give": case["fbp"]},
    alt="A chest CT slice, and the same reconstructed from few views: streaks across everything.",
    window=(-1000, 400),
    pixel_mm=pixel_mm,
)

# %% [markdown]
# **What was measured, what was simulated?** The Hounsfield units were measured, by a real scanner
# with about a thousand views. The scan with few views is simulated from them, with photons that
# are counted one by one.
#
# One trap is avoided. Whoever simulates and reconstructs on the same grid commits the *inverse
# crime*: the model fits its data too well. Here the scan is made on a grid twice as fine.

# %% tags=["lesson"]
for part in ("train", "validation", "test"):
    cases = getattr(splits, part)
    print(f"{part}: {len(cases)} cases of {', '.join(sorted(set(cases.subject)))}")

# %% [markdown]
# The training cases are slices of one patient and turned, scaled, cropped copies of them. The test
# patients are four others.
#
# ## 2 · See the physics
#
# Each row of the **sinogram** is one view: how much each ray was weakened on its way. A point of
# the body moves along a sine wave as the scanner turns, hence the name.
#
# **Now leave views out.**
#
# 1. Take a view every 6 degrees, then every 18. Where do the streaks start, and what do they point
#    at?
# 2. All views again, but an arc of 90 degrees. Which edges are still sharp, and which have gone?
# 3. Cut the photons to a thousand. Is that the same kind of damage?

# %% tags=["lesson"]
views_explorer(case["target"], pixel_mm)

# %% [markdown]
# Streaks run from sharp, dense things along the views that *were* taken; nothing cancels them
# where neighbours are missing. A short arc never sees edges that lie across its missing rays.
#
# Noise shrinks with more photons. Missing views stay missing at any dose.

# %% [markdown]
# ## 3 · Build it: the filter in filtered back-projection
#
# Smearing each view back over the image gives a blur: slow waves are counted far too often, because
# all views overlap at the centre. The cure is to make them weaker first, wave by wave.
#
# $$\hat q(f) = |f|\, \hat p(f)$$
#
# Write this **ramp filter**: each view $p$ is split into waves along the detector, each multiplied
# by its frequency $|f|$ in cycles per mm, and put together again.


# %% tags=["lesson"]
def ramp_filter(sinogram, spacing_mm):
    """Filtered views, same shape (N, 1, views, detectors); detectors lie spacing_mm apart."""
    ### BEGIN SOLUTION
    detectors = sinogram.shape[-1]
    frequency = torch.fft.rfftfreq(detectors, spacing_mm)
    return torch.fft.irfft(torch.fft.rfft(sinogram) * frequency, n=detectors)
    ### END SOLUTION


# %% tags=["lesson"]
ramp_filter = exercise("reconstruction_ct.ramp_filter").check(ramp_filter)

# %% [markdown]
# Three hints wait: where to look, the idea, nearly the code. Remove the `#` and run the cell.

# %% tags=["lesson"]
# exercise("reconstruction_ct.ramp_filter").hint(1)

# %% [markdown]
# Your filter at work on a complete scan of 180 views. The adjoint of the projector smears back; on
# the left without the filter, on the right with it.

# %% tags=["lesson"]
beam = ct.ParallelBeam(case["target"].shape[-1], 180, pixel_mm)
views = beam(ct.hu_to_attenuation(case["target"]))
step = torch.pi / 180 / pixel_mm  # one degree; detectors lie as far apart as pixels
smeared = beam.adjoint(views)
filtered = beam.adjoint(ramp_filter(views, pixel_mm)) * step
show.images(
    {
        "smeared back": ct.attenuation_to_hu(smeared / smeared.max() * ct.MU_WATER),
        "filtered first": ct.attenuation_to_hu(filtered),
    },
    alt="Left: plain back-projection, a blur. Right: with the ramp filter, a sharp slice.",
    window=(-1000, 400),
)

# %% [markdown]
# Exact? Nearly. Whole scanners run on this formula since 1971. It assumes complete views and no
# noise, and nothing in it knows what a body looks like.
#
# ## 4 · Ask the data again
#
# Filtered back-projection looks at the sinogram once. An **iterative** method asks again and again:
# what would the scanner measure of my image, and how far is that from what it did measure?
#
# $$\tfrac12 \lVert A x - y \rVert^2 \qquad \text{has the gradient} \qquad A^\top (A x - y)$$
#
# Write one step down that slope. `forward` is $A$, the projector, and `adjoint` is $A^\top$, which
# smears back.


# %% tags=["lesson"]
def data_step(image, sinogram, forward, adjoint, step):
    """The image (N, 1, H, W) after one gradient step towards the sinogram."""
    ### BEGIN SOLUTION
    residual = forward(image) - sinogram
    return image - step * adjoint(residual)
    ### END SOLUTION


# %% tags=["lesson"]
data_step = exercise("reconstruction_ct.data_step").check(data_step)

# %% tags=["lesson"]
# exercise("reconstruction_ct.data_step").hint(1)

# %% [markdown]
# Start from nothing and take two hundred steps. The scanner is scaled such that a step of 1 is
# safe.

# %% tags=["lesson"]
scan = scanner(splits.facts)
data, image, stages = scan.data(case["sinogram"]), torch.zeros_like(case["target"]), {}
for number in range(1, 201):
    image = data_step(image, data, scan, scan.adjoint, 1.0)
    if number in (1, 10, 200):
        stages[f"after {number}"] = hounsfield(image)
show.images(
    stages | {"truth": case["target"]},
    alt="The image after 1, 10 and 200 steps: a blur that slowly sharpens, then the truth.",
    window=(-1000, 400),
)

# %% [markdown]
# Broad shapes come at once, edges crawl. And 30 views have far fewer numbers than the image has
# pixels: many images fit. Something must say which of them is likely.

# %% [markdown]
# **Total variation** says: the one with the fewest edges (Sidky and Pan 2008). It learns nothing
# and is hard to beat. Its weight is chosen on validation slices, never on test slices.

# %% tags=["lesson"]
from course_lib.fit import evaluate, fit

tv, small = catalogue.build("tv_reconstruction"), splits.validation.subset([0])
parts = type(splits)(splits.train, small, splits.test)
history = fit(tv, reconstruction, parts, profile=profile, seed=seed, progress=False)
print(f"chosen among {history.candidates} weights: {history.chosen}")
for name, candidate in {"FBP": catalogue.build("fbp"), "total variation": tv}.items():
    scores = evaluate(candidate, reconstruction, small)
    print(f"{name}: {scores['psnr']:.1f} dB, {scores['data_residual']:.2f} % from the sinogram")

# %% tags=["lesson"]
show.images(
    {"FBP": case["fbp"], "total variation": tv.predict(case), "truth": case["target"]},
    alt="The slice by filtered back-projection, by total variation, and the truth.",
    window=(-1000, 400),
)

# %% [markdown]
# ## 5 · Networks that see the raw data
#
# **Learned primal-dual** (Adler and Öktem 2018) keeps the loop that you wrote and learns what to do
# between its steps: one small network on the sinogram, one on the image, six times over. Projector
# and adjoint stand between them, exact and unlearnt.

# %% tags=["lesson"]
primal_dual = catalogue.build("learned_primal_dual")
show.source(type(primal_dual).forward)

# %% [markdown]
# **JSR-Net** (Zhang 2019) makes the missing views an unknown of their own. In each round the
# measured views pull the complete sinogram to the data, a network fills the rest, and a filtered
# back-projection of what still disagrees corrects the image. Look for these in the code.

# %% tags=["lesson"]
jsr_net = catalogue.build("jsr_net").fresh(splits.facts)
show.source(type(jsr_net.chain[0]).forward)

# %% [markdown]
# The next cell trains and tests. It is the cell that the benchmark runs, for every method, data
# set and seed. In `class` it takes about a minute; a run that is already in `store` is only read.

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
# the network never saw. Look at the error image: are there still streaks, or lost vessels?

# %% [markdown]
# ## 6 · Break it
#
# The survey's reason for reconstruction networks: what FBP has spoilt, no network behind it can
# bring back, so the network should see the **raw data** (section 2.1.3). If so, its lead should
# grow as views are left out.
#
# That is a claim. We test it against **FBPConvNet** (Jin 2017), a U-Net that sees only the FBP
# image, at many views and at few. (In `smoke` nothing is trained long enough to tell.)

# %% [markdown]
# **Predict first.** With 15 views only: who is ahead, the network that cleans the picture
# (FBPConvNet) or the one that works on raw data too (JSR-Net)?

# %% tags=["lesson"]
guess.winner(
    "reconstruction_ct.views",
    who="",  # "FBPConvNet" or "JSR-Net"
    by=None,  # how many dB
    among=("FBPConvNet", "JSR-Net"),
    unit="dB",
    store=store,
)

# %% tags=["lesson"]
patients = dataset.split("/")[0]
results = {}


def compare(name, views):
    """One method on one acquisition, as a job of the benchmark; keeps its mean PSNR."""
    found = run_here(task, name, f"{patients}/{views}_views", profile, seed, store=store)
    results[name, views] = show.mean_scores(found)["psnr"]
    return found


image_only = {30: compare("fbp_conv_net", 30)}

# %% tags=["lesson"]
raw_data = {30: compare("jsr_net", 30)}

# %% tags=["lesson"]
image_only[15] = compare("fbp_conv_net", 15)

# %% tags=["lesson"]
raw_data[15] = compare("jsr_net", 15)

# %% [markdown]
# And what a sinogram gives without learning, so that nobody praises the network for the data:

# %% tags=["lesson"]
compare("fbp", 30)
compare("tv_reconstruction", 30)

# %% tags=["lesson"]
compare("fbp", 15)
compare("tv_reconstruction", 15)

# %% tags=["lesson"]
names = {
    "fbp": "FBP",
    "fbp_conv_net": "FBPConvNet (image only)",
    "tv_reconstruction": "total variation (raw data, not learnt)",
    "jsr_net": "JSR-Net (raw data, learnt)",
}
show.lines(
    {label: {views: results[name, views] for views in (30, 15)} for name, label in names.items()},
    across="number of views (fewer →)",
    up="PSNR (dB)",
    title="Who suffers most when views are left out?",
)

# %% tags=["lesson"]
sides = {views: (raw_data[views], image_only[views]) for views in (30, 15)}
print(show.claim("With 15 views, raw data beat post-processing", *sides[15], "psnr"))
print(show.claim("Their lead is larger with 15 views than with 30", sides[15], sides[30], "psnr"))

# %% tags=["lesson"]
guess.compare(
    "reconstruction_ct.views",
    {"FBPConvNet": results["fbp_conv_net", 15], "JSR-Net": results["jsr_net", 15]},
    unit="dB",
    store=store,
)

# %% tags=["lesson"]
show.outputs({"image only": image_only[15], "raw data": raw_data[15]}, store)

# %% [markdown]
# **Read with care.** This is one seed, a few hundred steps, four patients. A U-Net needs many
# examples to learn what a streak is; the projector comes with that knowledge. With more training
# the gap may close: that would be a result too.
#
# And look at the pictures once more. With 15 views the networks draw smooth, plausible tissue.
# A nodule of five millimetres may be among what is missing, and no PSNR will say so.

# %% [markdown]
# ## 7 · The leaderboard
#
# The default benchmark, and the runs that you made with the same number of views.

# %% [markdown]
# Each row is a paper. Its card, unfolded: the idea, the equation, the drawing with the sizes of this
# lesson, what was shrunk, what it claims and whether that held here, and a question to think about.

# %% tags=["lesson"]
show.cards("fbp", "tv_reconstruction")

# %% tags=["lesson"]
show.cards("fbp_conv_net", "learned_primal_dual", "jsr_net", on=(reconstruction, splits, profile))

# %% tags=["lesson"]
show.leaderboard(task, store, dataset)

# %% [markdown]
# ## 8 · What do you remember?

# %% tags=["lesson"]
quiz("reconstruction_ct")

# %% [markdown]
# ## Recap
#
# - A sinogram holds one row per view. The ramp filter undoes the blur of smearing back.
# - Missing views make streaks, a missing arc loses edges; neither is noise, and more photons do not
#   help.
# - Iterative methods ask the data again. With few views many images fit, and a prior must choose:
#   few edges, or what a network has learnt.
# - A network that sees the sinogram can be checked against it. One that sees the image cannot.
#
# **To go on**: `method = "learned_primal_dual"`; a data set that ends with `120_degrees`; or all
# methods with `course bench`.

# %% [markdown]
# ## References
#
# - The survey: Wang L, Qin Y 2020, section 2.1.3,
#   doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056)
# - Learned primal-dual: Adler J, Öktem O 2018, IEEE TMI 37(6),
#   doi [10.1109/TMI.2018.2799231](https://doi.org/10.1109/TMI.2018.2799231)
# - JSR-Net: Zhang H, Dong B, Liu B 2019, ICASSP,
#   doi [10.1109/ICASSP.2019.8682178](https://doi.org/10.1109/ICASSP.2019.8682178)
# - FBPConvNet: Jin K H et al. 2017, IEEE TIP 26(9),
#   doi [10.1109/TIP.2017.2713099](https://doi.org/10.1109/TIP.2017.2713099)
# - Total variation: Sidky E Y, Pan X 2008, Physics in Medicine and Biology 53(17),
#   doi [10.1088/0031-9155/53/17/021](https://doi.org/10.1088/0031-9155/53/17/021)
# - Chest CT: LIDC-IDRI-0001, CC BY 3.0,
#   doi [10.1118/1.3528204](https://doi.org/10.1118/1.3528204)
# - Lung tumours: doi [10.17195/candat.2016.08.1](https://doi.org/10.17195/candat.2016.08.1),
#   CC BY-NC 3.0
