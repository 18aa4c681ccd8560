# %% [markdown]
# # When must we not believe it?
#
# A network finds lung nodules and its test scores are good. Then the hospital buys another scanner.
# Nobody tells the network.
#
# After this lesson you can
#
# - measure what another scanner does to a network's scores, and to its honesty about them,
# - say which remedies help, and why a random split would have hidden the trouble,
# - draw a map of what a network looks at, and doubt the map before you believe it.

# %%
import os

from IPython.display import display

from course_lib.benchmark.job import run_here
from course_lib.lesson import dataset_here, exercise, guess, quiz, show

# %% [markdown]
# **Parameters.** The benchmark runs this same notebook with other values. The data set's name says
# which of three questions is asked: `scanner_shift`, `explanations` or `weak_labels`.

# %% tags=["parameters"]
task = "frontier"
method = "domain_generalisation"
dataset = dataset_here(task)
profile = os.environ.get("COURSE_PROFILE", "class")
seed = 0
options = "{}"
store = "runs"  # finished runs are kept here and not repeated
folder = None

# %% [markdown]
# ## 1 · The idea
#
# One nodule of one patient, as four scanners show it.

# %% tags=["lesson"]
import torch

from course_lib import catalogue, device
from course_lib.fit import evaluate, fit, predict
from course_lib.lesson.widgets.rescan import rescan_explorer
from course_lib.metrics.saliency import rank_correlation
from course_lib.parts.frontier import saliency
from course_lib.parts.frontier.reader import seen
from course_lib.tasks.frontier import scanner_shift, shortcuts

print(device.describe())
torch.set_num_threads(1)  # networks this small are faster on one core than on two
shift = catalogue.question(task, "scanner_shift/one_scanner")
splits = shift.make("scanner_shift/one_scanner", profile, seed)
by_scanner = scanner_shift.by_scanner(splits.test)

# %% tags=["lesson"]
show.images(
    {f"scanner {name}": cases["image"][0] for name, cases in by_scanner.items()},
    alt="The same nodule in lung four times: as measured; noisy; blurred; sharper and brighter.",
    window=(-1000, 400),
    pixel_mm=float(splits.test.spacing_mm[0, 0]),
)

# %% [markdown]
# A is the scanner that was there. B saves dose, C uses a soft kernel, D a sharp one and is badly
# calibrated. You see the nodule in all four.
#
# **What was measured, what was simulated?** The lung is a real patient's CT. The nodule's outline
# was drawn by radiologists in another patient; its density is simulated. Scanners B to D are
# simulated from A. Every piece of lung comes twice, with and without the nodule: nothing else can
# give it away.

# %% tags=["lesson"]
for part in ("train", "validation", "test"):
    cases = getattr(splits, part)
    print(f"{part}: {len(cases)} images, nodules of {len(set(cases.subject))} patients")

# %% [markdown]
# The training images are all from scanner A. The test patients are others, and **all four scanners
# see the same ones**: if a score falls, the scanner did it.
#
# ## 2 · Train at home
#
# The reader is a small ResNet with three answers: a probability (classification), a probability for
# each pixel (segmentation), and its most certain pixel (detection). It learns on scanner A.

# %% tags=["lesson"]
reader = catalogue.build("domain_shift_benchmark")
history = fit(reader, shift, splits, profile=profile, seed=seed, progress=False)
print(f"{history.steps} steps in {history.seconds:.0f} s")

# %% [markdown]
# ## 3 · See the physics
#
# The network stays as it is. **You turn the scanner's knobs.** On the left the image, in the middle
# the pixels that the network takes for a nodule, on the right its answers to all the cases.
#
# 1. Add noise until the network changes its mind. Do *you* still see the nodule?
# 2. Blur by two pixels instead. Which of the two columns on the right moves, and where to?
# 3. Only raise the brightness. Nothing was lost from the image; is the network disturbed?

# %% tags=["lesson"]
rescan_explorer(reader, by_scanner["A"].batch(slice(0, 40)))

# %% [markdown]
# Noise makes small bright things everywhere, blur takes the small ones away. Brightness loses
# nothing at all, and yet the answers drift: the network never learnt that a number may mean
# something else elsewhere.
#
# Now all knobs, three severities each. AUC: how often does an image with a nodule get a higher
# probability than one without?

# %% tags=["lesson"]
home = evaluate(reader, shift, by_scanner["A"])
fall = {knob: {0: 100 * home["auc"]} for knob in ("noise", "blur", "sharpen", "gain", "offset")}
for (knob, severity), cases in scanner_shift.severities(splits.test).items():
    fall[knob][severity] = 100 * evaluate(reader, shift, cases)["auc"]
show.lines(
    fall,
    across="severity of one knob (0: at rest)",
    up="AUC (%, chance 50)",
    title="One knob at a time, same patients",
)

# %% [markdown]
# ## 4 · Build it: is the network honest?
#
# A network may err, if it says so. Of all the cases called with 80% certainty, 80% should be right.
# The **expected calibration error** sorts cases into bins by their certainty and compares:
#
# $$\mathrm{ECE} = \sum_b \frac{n_b}{N}\, \bigl|\,\text{share of hits}_b - \text{mean
# confidence}_b\,\bigr|$$
#
# Write it. `confidence` and `hit` are tensors (N,), `hit` holds 1 and 0. Bin $b$ of `bins` equal
# ones holds the confidences above $(b-1)/\text{bins}$, up to $b/\text{bins}$.


# %% tags=["lesson"]
def calibration_error(confidence, hit, bins=10):
    """The expected calibration error of N answers, one number."""
    ### BEGIN SOLUTION
    number = (confidence * bins).ceil().clamp(1, bins)
    total = 0.0
    for b in range(1, bins + 1):
        inside = number == b
        if inside.any():
            gap = hit[inside].float().mean() - confidence[inside].mean()
            total = total + inside.float().mean() * gap.abs()
    return total
    ### END SOLUTION


# %% tags=["lesson"]
calibration_error = exercise("frontiers.calibration_error").check(calibration_error)

# %% [markdown]
# Three hints wait: where to look, the idea, nearly the code. Remove the `#` and run the cell.

# %% tags=["lesson"]
# exercise("frontiers.calibration_error").hint(1)

# %% [markdown]
# Your function on each scanner, beside the ranks (AUC) and the outlines (Dice).

# %% tags=["lesson"]
rows = []
for name, cases in by_scanner.items():
    found, scores = predict(reader, cases), evaluate(reader, shift, cases)
    confidence, answer = found["probability"].max(1)
    hit = (answer == cases["label"]).float()
    error = float(calibration_error(confidence, hit, 10))
    columns = (100 * hit.mean(), 100 * confidence.mean(), 100 * error, 100 * scores["auc"])
    rows.append(
        [
            name,
            *(f"{x:.0f} %" for x in columns),
            f"{scores['dice']:.2f}",
            f"{scores['pointing']:.2f}",
        ]
    )
show.Table(
    "The same patients, four scanners",
    ["scanner", "right", "certain", "your ECE", "AUC", "Dice", "nodules hit"],
    rows,
)

# %% [markdown]
# Compare the columns *right* and *certain*. Where the second is larger, the network promises more
# than it keeps. An ECE from 180 cases is never 0, even for an honest network: few cases fall in
# each bin, and their shares scatter.
#
# ## 5 · Remedies
#
# Three cheap ones, none of which looks at a label from a new scanner:
#
# - **augmentation**: training images change their look at random (BigAug, Zhang 2020),
# - **histogram matching**: the new scanner's values are mapped to those of the old,
# - **AdaBN** (Li 2017): batch normalisation measures its statistics anew on the new scanner.
#
# The next cell trains with the first. It is the cell that the benchmark runs, for every method,
# data set and seed; a run that is already in `store` is only read.

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
# ## 6 · Break it
#
# The survey's third direction says: results of one hospital do not carry over to the next. And how
# would one not notice? By a **random split**: when training and test draw from the same four
# scanners, the test is no stranger. We train a third network that way.

# %% tags=["lesson"]
mixed = run_here(
    task, "domain_shift_benchmark", "scanner_shift/random_split", profile, seed, store=store
)

# %% tags=["lesson"]
remedied = run_here(
    task, "domain_generalisation", "scanner_shift/one_scanner", profile, seed, store=store
)


# %% [markdown]
# The other two remedies need no training: they take the plain reader as it is, and unlabelled images
# of each scanner.


# %% tags=["lesson"]
def of_record(found, metric, scanners):
    """The mean of a metric over a record's cases on these scanners."""
    scores = [c["scores"][metric] for c in found["cases"] if c["case"][-1] in scanners]
    known = [value for value in scores if value is not None]
    return sum(known) / len(known)


def of_reader(method, metric, scanners):
    """The same of a method in this notebook."""
    scores = [evaluate(method, shift, by_scanner[name])[metric] for name in scanners]
    return sum(scores) / len(scores)


def adapted(remedy):
    """The plain reader with a remedy that needs no training."""
    other = catalogue.build("domain_generalisation", remedy=remedy).fresh(splits.facts)
    other.begin("train", splits.train)
    other.network = reader.network
    return other


# %% tags=["lesson"]
readers = {
    "no remedy": (reader, of_reader),
    "augmentation": (remedied, of_record),
    "histogram matching": (adapted("histogram"), of_reader),
    "AdaBN": (adapted("adabn"), of_reader),
    "random split": (mixed, of_record),
}
auc = {name: 100 * mean(who, "auc", "BCD") for name, (who, mean) in readers.items()}
show.Table(
    "What each remedy brings on scanners B, C and D, and costs at home (A)",
    ["reader", "AUC away", "AUC at home", "Dice at home"],
    [
        [name, f"{auc[name]:.0f} %", f"{100 * mean(who, 'auc', 'A'):.0f} %"]
        + [f"{mean(who, 'dice', 'A'):.2f}"]
        for name, (who, mean) in readers.items()
    ],
)

# %% tags=["lesson"]
print(show.seen("At home ranks are better than away", 100 * home["auc"], auc["no remedy"], "%"))
for remedy in ("augmentation", "histogram matching", "AdaBN"):
    print(show.seen(f"{remedy} recovers a part", auc[remedy], auc["no remedy"], "% AUC"))
print(show.seen("A random split promises more", auc["random split"], auc["no remedy"], "% AUC"))

# %% [markdown]
# **Read with care.** All are asked about the same images, those of scanners B, C and D. If the
# random split's network is better there, it is not because it is cleverer: it has met these
# scanners. Its score is true, for them. It says nothing about the next one.
#
# And the augmentation turns the same kinds of knobs as our scanners do. A real new scanner may do
# something that nobody thought of.

# %% [markdown]
# ## 7 · Where does it look?
#
# Scores cannot say *why*. A map might: which pixels speak for a nodule? There are many kinds:
#
# - **gradient** (Simonyan 2014): which pixels, changed a little, would change the score most;
# - **SmoothGrad** (Smilkov 2017): its mean over noisy copies of the image;
# - **integrated gradients** (Sundararajan 2017): its mean on the way from black to the image, times
#   the image;
# - **occlusion** (Zeiler 2014): how far the score falls when a square is covered;
# - **Grad-CAM** (Selvaraju 2017): the map that comes next, for any network, with slopes as weights.
#
# %% [markdown]
# The simplest map needs no gradient. If a network ends in a mean over the image and a linear layer,
# its score is
#
# $$s = \sum_k w_k \cdot \operatorname{mean}(f_k) = \operatorname{mean}\Bigl(\sum_k w_k
# f_k\Bigr)$$
#
# so $\sum_k w_k f_k$ says what each place contributes: the **class activation map** (Zhou 2016).
# Write it.


# %% tags=["lesson"]
def class_activation(features, weights):
    """Features (N, K, h, w) and weights (K,) → a map (N, h, w), with its sign."""
    ### BEGIN SOLUTION
    return (features * weights.view(1, -1, 1, 1)).sum(1)
    ### END SOLUTION


# %% tags=["lesson"]
class_activation = exercise("frontiers.class_activation").check(class_activation)

# %% tags=["lesson"]
# exercise("frontiers.class_activation").hint(1)

# %% [markdown]
# A classifier that was told yes or no, and never where:

# %% tags=["lesson"]
explained = catalogue.question(task, "explanations/nodules")
parts = explained.make("explanations/nodules", profile, seed)
explainer = catalogue.build("saliency_explanations")
fit(explainer, explained, parts, profile=profile, seed=seed, progress=False)
network = explainer.network.eval()
few = parts.test.batch(slice(0, 24))  # images with a nodule stand first
image = seen(few["image"], parts.facts.window)
certain = network(image).softmax(1)[:, 1].detach()
best = int(certain.argmax())

# %% tags=["lesson"]
with torch.no_grad():
    weights = network.head.weight[1] - network.head.weight[0]
    yours = class_activation(network.maps(image)[-1], weights)
one = image[best : best + 1]
panels = {"the image": (one + 1) / 2, "the nodule": few["mask"][best].float()}
panels["your map"] = yours[best].relu() / yours[best].max().clamp_min(1e-6)
for kind in ("gradient", "occlusion"):
    heat = saliency.saliency(kind)(network, one)
    panels[kind] = heat / heat.max().clamp_min(1e-12)
show.images(
    panels,
    alt="An image, its nodule, and three maps: class activation, gradient, occlusion.",
    window=(0, 1),
    unit="of the maximum",
)

# %% [markdown]
# All three look plausible. That is exactly the danger. Three questions before we believe one:
#
# 1. **Does it point at the nodule?** Here we know where it is.
# 2. **Does it change when the weights do?** A map that looks the same for a network of random
#    weights explains nothing that was learnt (Adebayo 2018).
# 3. **Does the answer fall** when the marked pixels are blurred away, faster than for pixels
#    chosen at random?

# %% tags=["lesson"]
from course_lib.metrics.saliency import pointing

edges = catalogue.build("edge_map")
forgotten = saliency.randomised(network)
maps = {kind: saliency.saliency(kind)(network, image) for kind in saliency.MAPS}
others = {kind: saliency.saliency(kind)(forgotten, image) for kind in saliency.MAPS}
maps["random"], others["random"] = (
    catalogue.build("random_map").predict(few)[key] for key in ("map", "randomised")
)
maps["edges"] = others["edges"] = edges.predict(few)["map"]
rows = [
    [
        kind,
        f"{float(pointing(heat, few['mask']).mean()):.2f}",
        f"{float(rank_correlation(heat, others[kind]).nanmean()):.2f}",
        f"{float(saliency.curve(network, image, heat).mean()):.2f}",
    ]
    for kind, heat in maps.items()
]
show.Table(
    "Three doubts about each map, 24 nodules",
    ["map", "nodules hit (higher)", "same with random weights (lower)", "while deleting (lower)"],
    rows,
)

# %% [markdown]
# Two controls stand last. *Random* shows what each number is worth without any insight. *Edges*
# never sees the network, so its second column must be 1; it hits hardly a nodule.
#
# In our run a plain blob filter, which explains nothing, pointed as
# well as Grad-CAM: pointing at the nodule alone proves little.
#
# How does a map fall apart as the network forgets, layer by layer, from the last to the first?

# %% tags=["lesson"]
fading = {}
for kind in ("gradient", "cam", "occlusion"):
    fading[kind] = {0: 1.0}
    for count in range(1, 6):
        blank = saliency.randomised(network, parts=count)
        now = saliency.saliency(kind)(blank, image)
        fading[kind][count] = float(rank_correlation(maps[kind], now).nanmean())
fading["edges"] = dict.fromkeys(range(6), 1.0)
show.lines(
    fading,
    across="parts of the network with random weights, from the last",
    up="rank correlation with the first map",
    title="What a map keeps while the network forgets",
)

# %% [markdown]
# ## 8 · A map that earns its keep
#
# Now spoil the training data: 95 of 100 images with a nodule also show a small bright marker, as a
# technician might leave one; only 5 of 100 without. What does the network learn?

# %% tags=["lesson"]
hinted = catalogue.question(task, "explanations/shortcut")
spoilt = hinted.make("explanations/shortcut", profile, seed)
cheat = catalogue.build("saliency_explanations")
fit(cheat, hinted, spoilt, profile=profile, seed=seed, progress=False)
for group in (shortcuts.HINT, shortcuts.NO_HINT):
    rows = [k for k, own in enumerate(spoilt.test.group) if own == group]
    chosen = spoilt.test.subset(rows[::2])
    scores = evaluate(cheat, hinted, chosen)
    print(f"{group}: AUC {100 * scores['auc']:.0f} %")

# %% tags=["lesson"]
marked = [k for k in range(len(spoilt.test)) if spoilt.test["marker"][k].any()][:4]
batch = spoilt.test.batch(torch.tensor(marked))
marked_images = seen(batch["image"], spoilt.facts.window)
heat = saliency.occlusion(cheat.network.eval(), marked_images)
show.images(
    {
        "image 1": (marked_images[0] + 1) / 2,
        "its map": heat[0] / heat[0].max().clamp_min(1e-12),
        "image 2": (marked_images[1] + 1) / 2,
        "map of 2": heat[1] / heat[1].max().clamp_min(1e-12),
    },
    alt="Two images with a bright marker near a corner, and maps that show where a cover matters.",
    window=(0, 1),
    unit="of the maximum",
)

# %% [markdown]
# With the marker in the test as well, all seems well. Take its meaning away and the score falls.
# The map had shown it, without a single test label: **that** is what such maps are good for.
#
# ## 9 · Few labels
#
# The survey's first direction: outlines are dear, a yes or no is cheap. Can class activation maps
# stand in for outlines? A U-Net learns from five true outlines alone, another from the same five
# and from the maps of all the other images.

# %% [markdown]
# **Predict first.** Five outlines, and many images of which only yes or no is known: does
# the network that uses both draw better outlines?

# %% tags=["lesson"]
guess.winner(
    "frontier.weak",
    who="",  # "five outlines alone" or "with weak labels"
    by=None,  # how many % Dice
    among=("five outlines alone", "with weak labels"),
    unit="% Dice",
    store=store,
)

# %% tags=["lesson"]
alone = run_here(task, "mask_u_net", "weak_labels/5_masks", profile, seed, store=store)

# %% tags=["lesson"]
helped = run_here(
    task, "weak_supervision_cam_mil", "weak_labels/5_masks", profile, seed, store=store
)
dice = {name: 100 * show.mean_scores(run)["dice"] for name, run in (("5", alone), ("+", helped))}
print(show.claim("Weak labels help where outlines are few", helped, alone, "dice"))

# %% tags=["lesson"]
guess.compare(
    "frontier.weak",
    {"five outlines alone": dice["5"], "with weak labels": dice["+"]},
    unit="% Dice",
    store=store,
)

# %% [markdown]
# **Read with care.** With five outlines the two were about equal when we measured: weak labels did
# *not* help. Both get the same number of steps, and the second spends half of them on its
# classifier; whether that is the reason, we have not tested.
#
# What weak labels can do and the U-Net
# cannot is to start with no outline at all (`weak_labels/0_masks`).

# %% [markdown]
# ## 10 · The leaderboard
#
# The default benchmark, and the runs that you made on the same question.

# %% [markdown]
# Each row is a paper. Its card, unfolded: the idea, the equation, the drawing with the sizes of this
# lesson, what was shrunk, what it claims and whether that held here, and a question to think about.

# %% tags=["lesson"]
show.cards("random_map", "centre_map", "edge_map", "blob_filter")

# %% tags=["lesson"]
show.cards("domain_shift_benchmark", "domain_generalisation", on=(shift, splits, profile))

# %% tags=["lesson"]
show.cards("saliency_explanations", "mask_u_net", "attention_mil", "weak_supervision_cam_mil")

# %% tags=["lesson"]
show.leaderboard(task, store, dataset)

# %% [markdown]
# ## 11 · What do you remember?

# %% tags=["lesson"]
quiz("frontiers")

# %% [markdown]
# ## Recap
#
# - Another scanner, the same patients: scores fall, and the network's certainty need not fall with
#   them. A random split hides it.
# - Cheap remedies recover a part of the lost AUC. What they cost at home belongs in the report too:
#   in our run augmentation cost little AUC, but 0.07 of the outlines' Dice, and AdaBN nothing.
# - A map is a claim. Point it at known truth, forget the weights, delete what it marks.
# - A map that lights up on a marker has found a fault in the data, and that is worth a lot.
#
# **To go on**: all three remedies at once, `options = '{"remedy": "all"}'`; the data set
# `scanner_shift/without_D`; or `method = "attention_mil"` on `weak_labels/0_masks`.

# %% [markdown]
# ## References
#
# - The survey: Wang L, Qin Y 2020, section 5,
#   doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056).
#   It names directions, not methods; the examples here are this course's choice.
# - Zech J R et al. 2018, PLoS Medicine 15(11),
#   doi [10.1371/journal.pmed.1002683](https://doi.org/10.1371/journal.pmed.1002683)
# - BigAug: Zhang L et al. 2020, IEEE TMI 39(7),
#   doi [10.1109/TMI.2020.2973595](https://doi.org/10.1109/TMI.2020.2973595)
# - AdaBN: Li Y et al. 2017, ICLR Workshops
# - Calibration: Guo C et al. 2017, ICML
# - CAM: Zhou B et al. 2016, CVPR,
#   doi [10.1109/CVPR.2016.319](https://doi.org/10.1109/CVPR.2016.319)
# - Grad-CAM: Selvaraju R et al. 2017, ICCV,
#   doi [10.1109/ICCV.2017.74](https://doi.org/10.1109/ICCV.2017.74)
# - Gradient: Simonyan K et al. 2014, ICLR Workshops; occlusion: Zeiler M, Fergus R 2014, ECCV;
#   SmoothGrad: Smilkov D et al. 2017; integrated gradients: Sundararajan M et al. 2017, ICML
# - Sanity checks: Adebayo J et al. 2018, NeurIPS
# - Chest CT and nodules: LIDC-IDRI, CC BY 3.0,
#   doi [10.1118/1.3528204](https://doi.org/10.1118/1.3528204)
