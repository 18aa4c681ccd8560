# %% [markdown]
# # Where is it? Detection
#
# A classifier says *whether* something is in an image. A detector must also say *where*, and it
# must do so in an image that is nearly all background.
#
# After this lesson you can
#
# - read a FROC curve, and say what a found nodule costs in false alarms,
# - tell a sliding window, a two-stage and a one-stage detector apart,
# - test why focal loss was needed, and what dates add to a series of scans.

# %%
import os

from IPython.display import display

from course_lib.benchmark.job import run_here
from course_lib.lesson import dataset_here, exercise, guess, quiz, show

# %% [markdown]
# **Parameters.** The benchmark runs this same notebook with other values. Data sets that begin with
# `series/` ask another question: does this nodule grow fast?

# %% tags=["parameters"]
task = "detection"
method = "retinanet"
dataset = dataset_here(task)  # or "chest_ct/nodules", without the set that is not for commerce
profile = os.environ.get("COURSE_PROFILE", "class")
seed = 0
options = "{}"
store = "runs"  # finished runs are kept here and not repeated
folder = None

# %% [markdown]
# ## 1 · The idea
#
# Here are four slices of a lung, 128 mm wide. Find the nodules before you look at the second row.

# %% tags=["lesson"]
import torch

from course_lib import catalogue, device
from course_lib.fit import predict
from course_lib.lesson.widgets.detector import detector_explorer
from course_lib.metrics.detection import box_iou
from course_lib.parts.detection import boxes as boxes_kit

print(device.describe())
torch.set_num_threads(1)  # networks this small are faster on one core than on two
detection = catalogue.question(task, dataset)
splits = detection.make(dataset, profile, seed)
cases = splits.validation.tensors

# %% tags=["lesson"]
nothing = [(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0))] * len(cases["image"])
panels = detection.pictures(boxes_kit.padded(nothing), cases, splits.facts)
few = range(min(4, len(cases["image"])))
show.images(
    {f"slice {k}": panels["input"].values[k] for k in few},
    alt="Slices of one lung: vessels as bright dots and lines, perhaps a nodule among them.",
    window=(-1000, 400),
)

# %% tags=["lesson"]
show.images(
    {f"slice {k}, answer": panels["truth"].values[k] for k in few},
    alt="The same slices with a white frame around each nodule; most are as small as vessels.",
    window=(-1000, 400),
)

# %% [markdown]
# **What was measured, what was simulated?** The lungs are real CT. The outlines are real as well:
# radiologists drew them around nodules of other patients (LIDC-IDRI). The nodules' own CT numbers
# are simulated, after the radiologists' ratings, and so is the place where each one lies.

# %% tags=["lesson"]
for part in ("train", "validation", "test"):
    found = getattr(splits, part)
    count = int((found["labels"] >= 0).sum())
    print(f"{part}: {len(found)} slices with {count} nodules, in {', '.join(set(found.subject))}")

# %% [markdown]
# One patient's lung is trained on, four others are tested on, and no nodule's patient is in two
# parts. Their own tumours do not count either way.
#
# Nobody has searched those four scans for further small nodules. A few "false alarms" may be none.

# %% [markdown]
# ## 2 · What does a found nodule cost?
#
# The simplest detector learns nothing. It looks for **bright blobs** of any size, and every blob
# gets a score: how round and bright it is.

# %% tags=["lesson"]
blobs = catalogue.build("blob_detector")
answers = predict(blobs, splits.validation)

# %% [markdown]
# Where do you put the threshold? **Move it.** On the right is the **FROC curve**: how many nodules
# are found, over how many false alarms that costs per image.
#
# 1. Raise the threshold until no false alarm is left. How many nodules are still found?
# 2. Lower it until nine of ten are found. Could a radiologist work with that?
# 3. What do the false alarms look like?

# %% tags=["lesson"]
detector_explorer(answers, cases, "blob detector")

# %% [markdown]
# A vessel that runs through the slice is a bright, round blob. So is a nodule. In a single slice
# they look the same; what is around them, and practice, tell them apart.
#
# One number for the whole curve is its mean height at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false alarms per
# image: the **FROC score**, our headline.

# %% [markdown]
# ## 3 · Build it: what it means to overlap
#
# Detectors compare boxes all the time. Is this anchor on a nodule? Are these two answers the same?
# The measure is **intersection over union**.
#
# $$\text{IoU}(A, B) = \frac{|A \cap B|}{|A \cup B|}$$
#
# A box is (top, left, bottom, right). Write the table of all pairs.


# %% tags=["lesson"]
def box_iou(first, second):
    """IoU of every pair: (K, 4) and (L, 4) boxes → (K, L)."""
    ### BEGIN SOLUTION
    starts = torch.maximum(first[:, None, :2], second[None, :, :2])
    stops = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    both = (stops - starts).clamp(min=0).prod(-1)
    sizes = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (first, second)]
    return both / (sizes[0][:, None] + sizes[1] - both)
    ### END SOLUTION


# %% tags=["lesson"]
box_iou = exercise("detection.box_iou").check(box_iou)

# %% [markdown]
# Three hints wait: where to look, the idea, nearly the code. Remove the `#` and run the cell.

# %% tags=["lesson"]
# exercise("detection.box_iou").hint(1)

# %% [markdown]
# Your function at work. A box of 5 pixels, and the same box with a margin:

# %% tags=["lesson"]
small = torch.tensor([[10.0, 10, 15, 15]])
for margin in (0, 1, 2):
    wider = small + margin * torch.tensor([-1.0, -1, 1, 1])
    print(f"{margin} pixels wider on each side: IoU {float(box_iou(small, wider)[0, 0]):.2f}")

# %% [markdown]
# One pixel costs half of it. That is why a hit in FROC only asks for the middle of the box, and why
# we report average precision at an IoU of 0.2 as well as at 0.5.
#
# ## 4 · Build it: one object, one box
#
# A detector fires at the nodule, and beside it, and a little above. **Non-maximum suppression**
# keeps the surest box and drops what overlaps it by an IoU above `overlap`, then the surest of what
# is left, and so on. Write it: a list of the numbers of the boxes that stay.


# %% tags=["lesson"]
def suppress(boxes, scores, overlap):
    """Numbers of the boxes that stay, highest score first; boxes (K, 4), scores (K,)."""
    ### BEGIN SOLUTION
    kept = []
    for k in scores.argsort(descending=True).tolist():
        rivals = box_iou(boxes[k : k + 1], boxes[kept])
        if not (rivals > overlap).any():
            kept.append(k)
    return kept
    ### END SOLUTION


# %% tags=["lesson"]
suppress = exercise("detection.suppress").check(suppress)

# %% tags=["lesson"]
# exercise("detection.suppress").hint(1)

# %% [markdown]
# ## 5 · Three kinds of detectors
#
# **A sliding window** cuts the image into patches and classifies each. Simple, and wasteful:
# neighbouring windows share most of their pixels and compute everything twice.
#
# **Two stages** (Faster R-CNN, Ren 2015): the image goes through a network once. On its maps a
# small head proposes places, and a second one looks at each proposal again.

# %% tags=["lesson"]
show.source(type(catalogue.build("faster_rcnn")).predict)

# %% [markdown]
# **One stage** (RetinaNet, Lin 2017): every cell of the maps carries a few **anchors**, boxes of
# fixed sizes, and each anchor is judged at once: nodule or not, and how the box should move.
#
# How rare is a nodule among the anchors?

# %% tags=["lesson"]
retinanet = catalogue.build("retinanet").fresh(splits.facts)
every = retinanet(cases["image"][:1])[2]
counts = [
    int((boxes_kit.match(every, boxes_kit.targets(cases, k)[0], 0.4, 0.5) >= 0).sum())
    for k in range(len(cases["image"]))
]
ratio = len(every) * len(counts) / max(1, sum(counts))
print(f"{len(every):,} anchors in a slice; one in {ratio:,.0f} is on a nodule")

# %% [markdown]
# Most of the others are easy: air, wall, heart. Each adds little to the loss, and together they add
# most of it. Focal loss turns the easy ones down:
#
# $$\text{FL}(p) = -\alpha_t\,(1 - p)^\gamma \log p, \qquad \alpha_t = \alpha \text{ on nodules, } 1 -
# \alpha \text{ on background}$$
#
# With $p = 0.9$ for the right answer and $\gamma = 2$ an anchor counts a hundredth. Nothing is left
# out: look at the code.

# %% tags=["lesson"]
from course_lib.methods.detection.retinanet import focal_loss

show.source(focal_loss)

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
# White frames are answers at one false alarm per image. In the last picture orange marks what was
# missed, purple a false alarm.
#
# A detector that saw one patient's lung does worse on others: other scanners, thicker slices, other
# vessels. But so does the blob detector, which was trained on nobody: part of the fall is that these
# images are harder, and only what goes beyond it is owed to having seen one patient.
#
# The report
# lists the held-out block of the same patient apart for that reason.

# %% [markdown]
# ## 6 · Break it: is focal loss needed?
#
# The survey's claim (section 4.2): one-stage detectors fall behind because the background outweighs
# everything, and focal loss cures it. The same network, steps and seed, with three other losses and
# with *all* anchors in each, except where said. (In `smoke` nothing is trained long enough.)

# %% [markdown]
# **Predict first.** The same RetinaNet, four losses: which finds most, and by how much?

# %% tags=["lesson"]
guess.winner(
    "detection.losses",
    # "focal loss", "cross-entropy", "focal loss with gamma 0" or "hardest negatives only"
    who="",
    by=None,  # how many % FROC
    among=("focal loss", "cross-entropy", "focal loss with gamma 0", "hardest negatives only"),
    unit="% FROC",
    store=store,
)

# %% tags=["lesson"]
slices = dataset if not dataset.startswith("series") else "chest_ct/nodules"
results, runs = {}, {}


def with_loss(label, **choice):
    """RetinaNet with another loss, as a job of the benchmark; keeps its FROC score."""
    found = run_here(task, "retinanet", slices, profile, seed, choice, store=store)
    results[label], runs[label] = show.mean_scores(found)["froc"], found
    print(f"{label}: FROC {results[label]:.1f} %")
    return found


focal = with_loss("focal loss")

# %% tags=["lesson"]
plain = with_loss("cross-entropy", loss="cross_entropy")

# %% tags=["lesson"]
balanced = with_loss("focal loss with gamma 0", gamma=0.0)

# %% tags=["lesson"]
hardest = with_loss("hardest negatives only", loss="ohem")

# %% tags=["lesson"]
for other in ("cross-entropy", "focal loss with gamma 0", "hardest negatives only"):
    text = f"Focal loss finds more than {other}"
    print(show.claim(text, runs["focal loss"], runs[other], "froc"))

# %% tags=["lesson"]
guess.compare("detection.losses", results, unit="% FROC", store=store)

# %% [markdown]
# **Read with care.** One seed, a few hundred steps, small images. One anchor in about 1,600 is
# positive here, much as in the paper (about 1 in 1,000), whose photographs have 10,000 to 100,000
# places to look at. A difference of a few per cent lies within chance.
#
# And the bias of the last layer is set to the prior in all of them. Without that the first steps
# would be spent on learning that most anchors are background.

# %% [markdown]
# ## 7 · Break it: what the dates tell
#
# A nodule is seen at several visits. Does it grow fast? Radiologists divide: the **volume doubling
# time** is the lag over $\log_2 (V_2 / V_1)$, and less than 400 days is suspicious. Volume, not
# diameter: one doubling is only 26% more of diameter.
#
# In these series neither the last step in size alone tells much (AUC about 0.6 over many series) nor
# the last lag alone (about 0.7): size over lag does. One test set strays from that, so compare with
# what the lag alone scores on this very test.

# %% tags=["lesson"]
series = "series/irregular"
board, visits = {}, {}


def on_series(row, name, **choice):
    """A method on series of visits, as a job of the benchmark; keeps its AUC."""
    found = run_here(task, name, series, profile, seed, choice, store=store)
    board[row], visits[row] = show.mean_scores(found)["auc"], found
    print(f"{row}: AUC {board[row]:.1f} %")
    return found


rule = on_series("doubling time, measured", "growth_rule")
blind = on_series("the same without dates", "growth_rule", dates=False)
lag = on_series("last lag alone, no image", "lag_alone")
rival = on_series("last lag and previous label, no image", "lag_alone", label=True)

# %% tags=["lesson"]
told = on_series("tLSTM", "tlstm")

# %% tags=["lesson"]
shuffled = on_series("tLSTM with another series' lags", "tlstm", shuffle_lags=True)

# %% tags=["lesson"]
untold = on_series("LSTM without dates", "lstm")

# %% tags=["lesson"]
show.strip(told, store)

# %% [markdown]
# Each row is a series; the bar under a visit is as long as the probability of fast growth.

# %% tags=["lesson"]
others = [name for name in board if name != "tLSTM"]
for other in others:
    print(show.claim(f"tLSTM is better than {other}", visits["tLSTM"], visits[other], "auc"))

# %% [markdown]
# A network that is not told the dates can do little more than repeat the label of the *earlier*
# visit, which it is given: growth stays as it was in seven of ten intervals. tLSTM is told dates and
# earlier labels; its like-for-like rival is lag and label without an image.
#
# And the rule? It learns nothing, needs no training series, and says why. It is told no labels.

# %% [markdown]
# ## 8 · The leaderboard
#
# The default benchmark, and the runs that you made. Look at the seconds as well.

# %% [markdown]
# Each row is a paper. Its card, unfolded: the idea, the equation, the drawing with the sizes of this
# lesson, what was shrunk, what it claims and whether that held here, and a question to think about.

# %% tags=["lesson"]
show.cards("blob_detector", "growth_rule", "lag_alone", "previous_label")

# %% tags=["lesson"]
show.cards("patch_cnn_detector", "faster_rcnn", "retinanet", on=(detection, splits, profile))

# %% tags=["lesson"]
show.cards("lstm", "tlstm")

# %% tags=["lesson"]
show.leaderboard(task, store, dataset)

# %% [markdown]
# ## 9 · What do you remember?

# %% tags=["lesson"]
quiz("detection")

# %% [markdown]
# ## Recap
#
# - A detector is judged by a curve: what is found, over the false alarms that it costs.
# - IoU compares boxes; for objects of five pixels it is a harsh judge.
# - A sliding window repeats its work, two stages look twice at few places, one stage judges a
#   thousand anchors for each nodule, and its loss must not drown in the easy ones.
# - Growth is size over time. Without dates it is neither fast nor slow.
#
# **To go on**: `method = "faster_rcnn"` or `"patch_cnn_detector"`; your own pictures with boxes,
# `dataset = "path:folder"` with a COCO file; or all methods with `course bench`.

# %% [markdown]
# ## References
#
# - The survey: Wang L, Qin Y 2020, section 4.2,
#   doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056)
# - RetinaNet: Lin T-Y et al. 2017, ICCV,
#   doi [10.1109/ICCV.2017.324](https://doi.org/10.1109/ICCV.2017.324)
# - Faster R-CNN: Ren S et al. 2017, IEEE TPAMI 39(6),
#   doi [10.1109/TPAMI.2016.2577031](https://doi.org/10.1109/TPAMI.2016.2577031)
# - tLSTM: Santeramo R, Withey S, Montana G 2018, DLMIA,
#   doi [10.48550/arXiv.1807.06144](https://doi.org/10.48550/arXiv.1807.06144)
# - FROC score: Setio A et al. 2017, Medical Image Analysis 42,
#   doi [10.1016/j.media.2017.06.015](https://doi.org/10.1016/j.media.2017.06.015)
# - Doubling times: MacMahon H et al. 2017, Radiology 284(1),
#   doi [10.1148/radiol.2017161659](https://doi.org/10.1148/radiol.2017161659)
# - Nodules and chest CT: LIDC-IDRI, CC BY 3.0,
#   doi [10.1118/1.3528204](https://doi.org/10.1118/1.3528204)
# - Lung tumours: doi [10.17195/candat.2016.08.1](https://doi.org/10.17195/candat.2016.08.1),
#   CC BY-NC 3.0
