# %% [markdown]
# # Segmentation: which pixels are the organ?
#
# A volume in millilitres, a dose plan, a surgeon's map: all of them start with an outline. Drawing
# it by hand takes an hour for each patient. What does a network need to draw it, and how do we see
# that it did?
#
# After this lesson you can
#
# - say why brightness alone cannot outline an organ,
# - bring a network's coarse answer back to the pixels, and measure what each skip wins,
# - choose a loss for structures that fill a thousandth of the image.

# %%
import os

from IPython.display import display

from course_lib.benchmark.job import run_here
from course_lib.lesson import dataset_here, show

# %% [markdown]
# **Parameters.** The benchmark runs this same notebook with other values. Other data sets:
# `brain_3d`, `chest_organs`, `lung_tumours/without_4`, or `path:FOLDER` with volumes of your own.

# %% tags=["parameters"]
task = "segmentation"
method = "unet"
dataset = dataset_here(task)
profile = os.environ.get("COURSE_PROFILE", "class")
seed = 0
options = "{}"
store = "runs"  # finished runs are kept here and not repeated
folder = None

# %% [markdown]
# ## 1 · The idea
#
# Give every pixel a label. On the left is what a scanner shows, on the right what is wanted.

# %% tags=["lesson"]
import torch

from course_lib import catalogue, device
from course_lib.fit import fit, predict
from course_lib.lesson import exercise, guess, quiz
from course_lib.lesson.structures import legend, structure_table
from course_lib.lesson.widgets.threshold import pixels, threshold_explorer
from course_lib.tasks.segmentation.structures import colour

print(device.describe())
torch.set_num_threads(1)  # networks this small are faster on one core than on two
segmentation = catalogue.question(task, dataset)
splits = segmentation.make(dataset, profile, seed)
names = splits.facts.structures
colours = legend(names)
case = splits.validation.batch(slice(0, 1))
middle = case["image"].shape[2] // 2
image = pixels(case["image"][0, 0, middle], case["window"][0])
truth = case["label"][0, 0, middle]

# %% tags=["lesson"]
show.images(
    {"labels": colour(truth), "image": image},
    alt="On the left a slice whose structures are coloured, on the right the grey image of it.",
    window=(0, 1),
    unit="grey window",
    legend=colours,
)

# %% [markdown]
# **What was measured, what was simulated?** In the default data set the anatomy is that of six
# donors, whose cortex and nuclei were mapped. The pictures are rendered from these maps, as four
# different scanners would show them. So the labels are exactly right, which no hand can promise.
#
# In `chest_organs` it is the other way round: a real scan, labels drawn by a model.

# %% tags=["lesson"]
for part in ("train", "validation", "test"):
    cases = getattr(splits, part)
    print(f"{part}: {len(cases)} stacks of {', '.join(sorted(set(cases.subject)))}")

# %% [markdown]
# Subjects are kept apart: who is tested was never seen in training.
#
# ## 2 · See the physics
#
# The oldest way: a structure is whatever lies between two intensities. **Move the window.**
#
# 1. Outline the first structure as well as you can. What else comes along?
# 2. Now one of the small ones. Is there any window that finds it alone?
# 3. Would the same window fit another scanner?

# %% tags=["lesson"]
threshold_explorer(image, truth, names)

# %% [markdown]
# Scalp is as bright as white matter, and the deep nuclei are as grey as the cortex. A label depends
# on *where* a pixel lies and on what is around it.
#
# Two classical methods, trained on the same subjects. **Intensity windows** know the most likely
# label of each brightness. A **random forest** sees 17 filters of the neighbourhood, and the place.

# %% tags=["lesson"]
answers = {}
for name in ("intensity_windows", "random_forest"):
    classical = catalogue.build(name)
    fit(classical, segmentation, splits, profile=profile, seed=seed, progress=False)
    answers[catalogue.entry(name).name] = predict(classical, splits.test)
structure_table(answers, splits.test.tensors, names, "Dice of the test subjects")

# %% [markdown]
# **Dice** is twice the overlap, divided by both areas together: 1 is perfect, 0 is no overlap.
# Look at the shares: a structure that fills a hundredth of the image counts as much in the mean as
# one that fills a third.
#
# ## 3 · Build it: a loss that counts overlap
#
# A network gives each pixel a probability $p$; the truth $t$ is 0 or 1. Dice can be written for
# probabilities, and then it has a slope to walk down (V-Net, Milletari 2016):
#
# $$L = 1 - \frac{2 \sum p\, t}{\sum p^2 + \sum t^2}$$


# %% tags=["lesson"]
def dice_loss(p, t):
    """The loss of probabilities p and a mask t, both (N, 1, H, W): one number."""
    ### BEGIN SOLUTION
    both = (p * t).sum()
    return 1 - 2 * both / (p.square().sum() + t.square().sum())
    ### END SOLUTION


# %% tags=["lesson"]
dice_loss = exercise("segmentation.dice_loss").check(dice_loss)

# %% [markdown]
# Three hints wait: where to look, the idea, nearly the code. Remove the `#` and run the cell.

# %% tags=["lesson"]
# exercise("segmentation.dice_loss").hint(1)

# %% [markdown]
# Your loss at work. A lazy network says "background" everywhere, with $p = 0.01$. What does that
# cost as the structure becomes small? The usual loss, cross-entropy, is drawn beside it.

# %% tags=["lesson"]
lazy = torch.full((1, 1, 100, 100), 0.01)
cost = {"cross-entropy": {}, "your Dice loss": {}}
for count in (3000, 1000, 300, 100, 30, 10):
    mask = torch.zeros(10_000)
    mask[:count] = 1
    mask = mask.view(1, 1, 100, 100)
    entropy = torch.nn.functional.binary_cross_entropy(lazy, mask)
    cost["cross-entropy"][count / 100] = float(entropy)
    cost["your Dice loss"][count / 100] = float(dice_loss(lazy, mask))
show.lines(
    cost,
    across="foreground, % of the image (smaller →)",
    up="loss (no unit)",
    title="What it costs to find nothing",
)

# %% [markdown]
# Cross-entropy forgives: with a thousandth of foreground, finding nothing is nearly free. The Dice
# loss stays near 1. Keep this figure in mind for section 6.
#
# ## 4 · Bring the answer back to the pixels
#
# To know *what* it sees, a network must look far: it pools five times, and one number then stands
# for 32 x 32 pixels. A **fully convolutional network** (FCN, Long 2015) asks these coarse maps for
# class scores and enlarges them. That is FCN-32s. FCN-16s and FCN-8s *add* the scores of earlier,
# finer maps.
#
# The **U-Net** (Ronneberger 2015) goes back up one level at a time, and at each level puts the
# finer *features* beside the coarse ones. Write that joint: make `below` twice as large, each pixel
# a square of two by two, and put it behind `skip`.


# %% tags=["lesson"]
def join(below, skip):
    """(N, C, h, w) and (N, K, 2h, 2w) → (N, K + C, 2h, 2w), the skip's channels first."""
    ### BEGIN SOLUTION
    fine = torch.nn.functional.interpolate(below, scale_factor=2)
    return torch.cat([skip, fine], dim=1)
    ### END SOLUTION


# %% tags=["lesson"]
join = exercise("segmentation.join").check(join)

# %% tags=["lesson"]
# exercise("segmentation.join").hint(1)

# %% [markdown]
# The library's U-Net enlarges with weights that it learns, and is otherwise yours. Look for the
# joint.

# %% tags=["lesson"]
show.drawing("unet", segmentation, splits, profile)

# %% tags=["lesson"]
unet = catalogue.build("unet").fresh(splits.facts)
show.source(type(unet.network.network).features)

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
# The picture below the curve was picked by rule: the median test case, in the colours of the first
# picture. White pixels on the right
# are wrong. Many lie on borders, where one pixel holds two tissues, some far away from any.
#
# Compare with the random forest of section 2. In our run of `class` the U-Net stayed a little behind
# it: Dice 0.64 against 0.65, outlines 2.9 mm off against 2.2. The forest is told where each pixel
# lies and learns in seconds. A network has to find that out, and goes on learning long after this
# minute.
#
# ## 5 · What is each skip worth?
#
# Four networks more, all with the same data and steps. The distance between outlines tells what
# Dice does not: how far off a border is. A structure that was not found at all counts as the
# diagonal of the field: one missed of five, and the mean is half a head. (In `smoke` nothing is
# trained long enough to tell.)

# %% [markdown]
# **Predict first.** Whose outlines lie nearest to the true ones, and how many mm ahead of
# the second?

# %% tags=["lesson"]
guess.winner(
    "segmentation.skips",
    who="",  # "FCN-32s" or "FCN-16s" or "FCN-8s" or "U-Net without skips" or "U-Net"
    by=None,  # how many mm
    among=("FCN-32s", "FCN-16s", "FCN-8s", "U-Net without skips", "U-Net"),
    unit="mm",
    store=store,
)

# %% tags=["lesson"]
ladder, networks = {}, {}


def compare(label, name, **settings):
    """One network as a job of the benchmark; keeps its record and its mean scores."""
    networks[label] = run_here(task, name, dataset, profile, seed, settings, store=store)
    ladder[label] = show.mean_scores(networks[label])
    print(f"{label}: Dice {ladder[label]['dice']:.2f}, outlines {ladder[label]['assd']:.1f} mm off")


compare("FCN-32s", "fcn", stride=32)

# %% tags=["lesson"]
compare("FCN-16s", "fcn", stride=16)

# %% tags=["lesson"]
compare("FCN-8s", "fcn", stride=8)

# %% tags=["lesson"]
compare("U-Net without skips", "unet", skips=False)

# %% tags=["lesson"]
compare("U-Net", "unet")
show.trade_off(ladder, "assd", "dice", record["metrics"])

# %% tags=["lesson"]
show.outputs({name: networks[name] for name in ("FCN-32s", "U-Net")}, store, colours)

# %% tags=["lesson"]
steps = ["FCN-32s", "FCN-16s", "FCN-8s", "U-Net"]
for worse, better in zip(steps[:-1], steps[1:], strict=True):
    text = f"{better} has closer outlines than {worse}"
    print(show.claim(text, networks[better], networks[worse], "assd"))
without = networks["U-Net without skips"]
print(show.claim("Skips bring outlines nearer", networks["U-Net"], without, "assd"))

# %% tags=["lesson"]
guess.compare(
    "segmentation.skips",
    {name: scores["assd"] for name, scores in ladder.items()},
    unit="mm",
    store=store,
    better="lower",
)

# %% [markdown]
# The network without skips has the same depth and nearly as many weights. What it lacks is the way
# for *where* around the bottleneck.
#
# ## 6 · Break it
#
# The survey names losses for small structures (section 3.2). Is it true that cross-entropy fails as
# the foreground shrinks, that Dice does not, and that the **combo loss** (Taghanaki 2019) unites
# both? With the truth $t$, the probability $p$, and a mean over the voxels $\overline{\;\cdot\;}$:
#
# $$L = -\alpha\, \overline{\beta\, t \log p + (1 - \beta)(1 - t) \log (1 - p)} \;-\;
# (1 - \alpha)\, \frac{2 \sum p\,t}{\sum p + \sum t}$$
#
# $\alpha$ weighs cross-entropy against Dice. $\beta$ above one half makes misses dearer, below one
# half false alarms. (The plain cross-entropy below has no weights; the U-Net of sections 4 and 5
# had rare classes weigh more.)
#
# The same heads, but now dark round spots in white matter are to be found, as old small strokes
# leave them. They are simulated, so that only one thing changes: their size.

# %% tags=["lesson"]
from course_lib.lesson.spots import errors, share, spotted
from course_lib.tasks.base import Plan

radii = (6.0, 2.3, 1.0)  # pixels
spots = {radius: spotted(splits, radius) for radius in radii}
show.images(
    {
        f"{100 * share(parts.train):.2g} % foreground": pixels(
            parts.validation["image"][0, 0, middle], parts.validation["window"][0]
        )
        for parts in spots.values()
    },
    alt="The same slice with a dark spot in white matter: large, small, and a few pixels only.",
    window=(0, 1),
    unit="grey window",
)

# %% tags=["lesson"]
short = Plan(steps=100 if profile != "smoke" else 3, batch=2, evaluations=1)


def trained(radius, name="unet", **settings):
    """A small network of a hundred steps on spots of one size: its errors on the test subjects."""
    small = catalogue.build(name, widths=(8, 16, 32), **settings)
    parts = spots[radius]
    fit(small, segmentation, parts, profile=profile, seed=seed, plan=short, progress=False)
    return errors(predict(small, parts.test), parts.test)


found = {"cross-entropy": {r: trained(r, loss="cross_entropy") for r in radii}}

# %% tags=["lesson"]
found["Dice"] = {r: trained(r, loss="dice") for r in radii}

# %% tags=["lesson"]
found["combo"] = {r: trained(r, "combo_loss") for r in radii}

# %% tags=["lesson"]
show.lines(
    {
        loss: {round(100 * share(spots[r].train), 2): rows[r]["dice"] for r in radii}
        for loss, rows in found.items()
    },
    across="foreground, % of the voxels (smaller →)",
    up="Dice of the spots (no unit)",
    title="Who still finds the spots when they become small?",
)

# %% tags=["lesson"]
r = radii[-1]
entropy, overlap, combo = (found[loss][r]["dice"] for loss in ("cross-entropy", "Dice", "combo"))
print(show.seen("Smallest spots: combo beats cross-entropy", combo, entropy, "(Dice)"))
print(show.seen("Smallest spots: Dice beats cross-entropy", overlap, entropy, "(Dice)"))

# %% [markdown]
# And the other claim: β trades misses for false alarms. Spots of the middle size, three values
# of β.

# %% tags=["lesson"]
trade = {"missed": {}, "invented": {}}
for beta in (0.1, 0.5, 0.9):
    row = trained(radii[1], "combo_loss", alpha=0.8, beta=beta)
    for kind, values in trade.items():
        values[beta] = row[kind]
show.lines(
    trade,
    across="β",
    up="% of the spots' voxels",
    title="What a larger β does",
)

# %% tags=["lesson"]
low, high = (trade["missed"][beta] for beta in (0.1, 0.9))
print(show.seen("β = 0.1 misses more than β = 0.9", low, high, "%"))
low, high = (trade["invented"][beta] for beta in (0.1, 0.9))
print(show.seen("β = 0.9 invents more than β = 0.1", high, low, "%"))

# %% [markdown]
# **Read with care.** One seed, a hundred steps, one small network. In our run cross-entropy lost the
# spots already at 0.5% of the voxels, combo at 0.1%, where its half of cross-entropy still said
# "nothing there"; Dice alone found them.
#
# With real lesions, which are less sharp than these spots,
# the flat start of the Dice loss can cost more than it did here.

# %% [markdown]
# ## 7 · The leaderboard
#
# The default benchmark, and the runs that you made on the same data set. V-Net and BDC-LSTM see
# the stack, the others one slice at a time. SegAN learns from a critic, and beside it from Dice, as
# its public code does.

# %% [markdown]
# Each row is a paper. Its card, unfolded: the idea, the equation, the drawing with the sizes of this
# lesson, what was shrunk, what it claims and whether that held here, and a question to think about.

# %% tags=["lesson"]
show.cards("intensity_windows", "random_forest")

# %% tags=["lesson"]
show.cards("fcn", "unet", "vnet", on=(segmentation, splits, profile))

# %% tags=["lesson"]
show.cards("bdc_lstm", "segan", "combo_loss", on=(segmentation, splits, profile))

# %% tags=["lesson"]
show.leaderboard(task, store, dataset)

# %% [markdown]
# ## 8 · What do you remember?

# %% tags=["lesson"]
quiz("segmentation")

# %% [markdown]
# ## Recap
#
# - Brightness is not enough: a label depends on place and neighbourhood.
# - Poolings find out *what*, skips remember *where*. Adding scores is an FCN, joining features a
#   U-Net.
# - Dice counts overlap, distances the outline's errors in mm. Report both, and each structure.
# - The smaller the foreground, the more the loss matters. β exchanges misses for false alarms; what
#   is right depends on what each of them costs the patient.
#
# **To go on**: `method = "vnet"`, `"bdc_lstm"`, `"segan"`; `dataset = "chest_organs"`; a folder of
# your own; or all methods with `course bench`.

# %% [markdown]
# ## References
#
# - The survey: Wang L, Qin Y 2020, section 3.2,
#   doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056)
# - FCN: Long J et al. 2015, CVPR,
#   doi [10.1109/CVPR.2015.7298965](https://doi.org/10.1109/CVPR.2015.7298965)
# - U-Net: Ronneberger O et al. 2015, MICCAI,
#   doi [10.1007/978-3-319-24574-4_28](https://doi.org/10.1007/978-3-319-24574-4_28)
# - V-Net: Milletari F et al. 2016, 3DV,
#   doi [10.1109/3DV.2016.79](https://doi.org/10.1109/3DV.2016.79)
# - Combo loss: Taghanaki S A et al. 2019, Comput. Med. Imaging Graph. 75,
#   doi [10.1016/j.compmedimag.2019.04.005](https://doi.org/10.1016/j.compmedimag.2019.04.005)
# - SegAN: Xue Y et al. 2018, Neuroinformatics 16,
#   doi [10.1007/s12021-018-9377-x](https://doi.org/10.1007/s12021-018-9377-x)
# - Donors' maps: doi [10.1016/j.neuroimage.2019.01.011](https://doi.org/10.1016/j.neuroimage.2019.01.011)
