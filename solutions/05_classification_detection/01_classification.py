# %% [markdown]
# # Classification of lung nodules
#
# Three readers look at a spot in the lung and say: probably harmless, or suspicious. Can a computer
# learn to say the same, and from how few examples?
#
# After this lesson you can
#
# - read a ROC curve, a calibration error and a predictive value, and say which depends on what,
# - answer one question three ways: with measured features, borrowed features, or from scratch,
# - test a curriculum against the two controls without which nobody should believe it.

# %%
import os

from IPython.display import display

from course_lib.benchmark.job import run_here
from course_lib.lesson import dataset_here, exercise, guess, quiz, show

# %% [markdown]
# **Parameters.** The benchmark runs this same notebook with other values. The data set's name ends
# with the number of nodules to learn from: 300, 100, 30 or 10. Validation and test stay the same.

# %% tags=["parameters"]
task = "classification"
method = "fine_tuning"
dataset = dataset_here(task)
profile = os.environ.get("COURSE_PROFILE", "class")
seed = 0
options = "{}"
store = "runs"  # finished runs are kept here and not repeated
folder = None

# %% [markdown]
# ## 1 · The idea
#
# Nodules of the training patients: above some that readers called probably benign, below some that
# they called suspicious. What would you look at?

# %% tags=["lesson"]
import torch

from course_lib import catalogue, device
from course_lib.lesson.widgets.decision import decision_explorer

print(device.describe())
torch.set_num_threads(1)  # networks this small are faster on one core than on two
classification = catalogue.question(task, "nodules/300")
splits = classification.make("nodules/300", profile, seed)
facts = splits.facts
train = splits.train
some = [torch.nonzero(train["label"] == c).flatten()[:4].tolist() for c in (0, 1)]

# %% tags=["lesson"]
for name, numbers in zip(("benign", "suspicious"), some, strict=True):
    rated = {f"{name}, rated {train['malignancy'][k]:.1f}": train["image"][k] for k in numbers}
    display(
        show.images(
            {
                f"{title} ({number})": image
                for number, (title, image) in enumerate(rated.items(), 1)
            },
            alt=f"Four patches of lung, each with a nodule that readers called {name}.",
            window=(-1000, 400),
            pixel_mm=facts.pixel_mm,
        )
    )

# %% [markdown]
# **What was measured, what was simulated?** Each nodule's outline and its ratings are real: up to
# four radiologists drew and rated it (LIDC-IDRI). The lung around it is real too, from one CT. The
# nodule's CT numbers are simulated from the ratings: solid or glassy, spiculated, calcified.
#
# So a network here can learn what readers *say*, not what a biopsy found. And the texture is no
# richer than the rules that made it.

# %% tags=["lesson"]
for part in ("train", "validation", "test"):
    cases = getattr(splits, part)
    patients = len(set(cases.subject))
    share = cases["label"].float().mean()
    print(f"{part}: {len(cases)} cases of {patients} patients, {share:.0%} suspicious")

# %% [markdown]
# No patient is in two parts. Training nodules lie in the left lung, test nodules in the right, so
# that no background is met again. The test set comes twice: the second time as another scanner
# would show it, softer and noisier.
#
# ## 2 · Decide
#
# A classifier gives a probability. Somebody must cut it. Take the simplest classifier there is, the
# size of the nodule, and cut.
#
# 1. Where must the threshold lie to miss almost no suspicious nodule? What does that cost?
# 2. Leave the threshold, and lower the prevalence to 1%, as in screening. What happened to the
#    alarms? What did *not* change?
# 3. Is there a threshold that is good for both?

# %% tags=["lesson"]
test = splits.test.subset([k for k, s in enumerate(splits.test["scanner"].tolist()) if s == 0])
area = test["mask"].flatten(1).sum(1) * facts.pixel_mm**2
size = 1 - torch.exp(-area / 100)
decision_explorer(size, test["label"], ("benign", "suspicious"))

# %% [markdown]
# The curve belongs to the classifier, the point to whoever decides. Prevalence moves neither, yet
# it decides how many alarms are true.
#
# ## 3 · Build it: one number for the whole curve
#
# The area under the ROC curve needs no threshold. Draw one suspicious and one benign nodule: how
# often does the suspicious one score higher?
#
# $$\text{AUC} = P(s_+ > s_-) + \tfrac12 P(s_+ = s_-)$$


# %% tags=["lesson"]
def auc(scores, labels):
    """Scores (N,), labels (N,) of 0 and 1 → the share of pairs in the right order, a tie half."""
    ### BEGIN SOLUTION
    positive, negative = scores[labels == 1], scores[labels == 0]
    higher = (positive[:, None] > negative[None, :]).float()
    equal = (positive[:, None] == negative[None, :]).float()
    return (higher + 0.5 * equal).mean()
    ### END SOLUTION


# %% tags=["lesson"]
auc = exercise("classification.auc").check(auc)

# %% [markdown]
# Three hints wait: where to look, the idea, nearly the code. Remove the `#` and run the cell.

# %% tags=["lesson"]
# exercise("classification.auc").hint(1)

# %% tags=["lesson"]
from course_lib.parts.classification.radiomics import threshold_outline

rough = threshold_outline(test["image"], facts.window).flatten(1).sum(1) * facts.pixel_mm**2
print(f"size in the readers' outline: AUC {auc(size, test['label']):.3f}, chance is 0.5")
print(f"size in an outline by threshold: AUC {auc(rough, test['label']):.3f}")

# %% [markdown]
# Remember both numbers. The first ruler is laid along an outline that radiologists drew; no network
# here gets one, each has to find the nodule first. The second ruler finds it by brightness alone.
#
# ## 4 · Three ways to learn
#
# **Measure.** Radiomics asks people what might matter: diameter, roundness, density, texture. Here
# are the features of one nodule, and how well each survives when the outline wobbles by a pixel, as
# a second reader's might (simulated; intraclass correlation, 1 is best).

# %% tags=["lesson"]
from course_lib.lesson.picture import Table
from course_lib.parts.classification.radiomics import FEATURES, radiomics

small = train.subset(range(min(40, len(train))))
measured = catalogue.build("radiomics_ml").fresh(facts)
measured.prepare(small)
values = radiomics(small["image"][:1], small["mask"][:1], facts.window, facts.pixel_mm)[0].tolist()
Table(
    "Some of the features of one nodule (“grey” is HU here)",
    ["feature", "value", "unit", "agreement"],
    [
        [name, f"{value:.2f}", FEATURES[name], f"{measured.stability[name]:.2f}"]
        for name, value in list(zip(FEATURES, values, strict=True))[::4]
    ],
)

# %% [markdown]
# Features that another outline changes are thrown out first. What is left is standardised, the best
# few are selected, and a classical classifier decides. Note who helps: radiomics gets the readers'
# outline, in the test as well, like the first ruler of section 3, which it should beat.

# %% [markdown]
# **Borrow.** A network that has seen a million photographs knows edges, blobs and textures. Either
# its features stay *fixed* and a classical classifier reads them, or it is *fine-tuned*: first a
# new head alone, then its last blocks too, slowly.

# %% tags=["lesson"]
show.source(type(catalogue.build("fine_tuning")).learning)

# %% [markdown]
# **From scratch.** A residual network of 308 thousand weights. Each block adds something to its
# input; a block that has learnt nothing yet does no harm.

# %% tags=["lesson"]
from course_lib.parts.resnet import BasicBlock

show.source(BasicBlock.forward)

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
# The bar under *output* is the probability of "suspicious": white as far as it goes. The case was
# picked by rule, the median of the test.

# %% tags=["lesson"]
for group in dict.fromkeys(case["group"] for case in record["cases"]):
    own = [case["scores"] for case in record["cases"] if case["group"] == group]
    mean = {name: sum(row[name] for row in own) / len(own) for name in ("auc", "ece", "brier")}
    print(f"{group}: " + ", ".join(f"{name} {value:.3f}" for name, value in mean.items()))

# %% [markdown]
# The second line is the same nodules on the other scanner. Look at `ece`, the calibration error: a
# network may still rank well and yet be far too sure of itself.

# %% [markdown]
# ## 5 · Break it: how few examples are enough?
#
# The survey's argument for transfer (section 4.1): medical data are few, so start from what other
# images have taught. If so, transfer should lead where examples are few, and a network from scratch
# should catch up as they grow. And measured features? They need hardly any examples at all.

# %% [markdown]
# **Predict first.** With 300 nodules to learn from: which of the three ranks the test
# nodules best?

# %% tags=["lesson"]
guess.winner(
    "classification.features",
    who="",  # "radiomics" or "ResNet" or "fine-tuning"
    by=None,  # how many hundredths of AUC
    among=("radiomics", "ResNet", "fine-tuning"),
    unit="hundredths of AUC",
    store=store,
)

# %% tags=["lesson"]
results, many, few = {}, "300", "10"
runs = {}


def compare(name, count, **options):
    """One method on one number of examples, as a job of the benchmark; keeps its mean AUC."""
    found = run_here(task, name, f"nodules/{count}", profile, seed, options, store)
    results[name, *options.values(), count] = show.mean_scores(found)["auc"]
    runs[name, *options.values(), count] = found


compare("radiomics_ml", many)

# %% tags=["lesson"]
compare("radiomics_ml", few)

# %% [markdown]
# Radiomics was handed the readers' outlines. Take them away: the same features of whatever is
# bright and near the middle, which may be a vessel or the chest wall.

# %% tags=["lesson"]
compare("radiomics_ml", many, outline="threshold")

# %% tags=["lesson"]
compare("resnet_baseline", many)

# %% tags=["lesson"]
compare("resnet_baseline", few)

# %% tags=["lesson"]
compare("fine_tuning", many)

# %% tags=["lesson"]
compare("fine_tuning", few)

# %% [markdown]
# Fixed features come with a control: the same network with **random** weights, never trained on
# anything. What it reaches is not owed to photographs.

# %% tags=["lesson"]
for count in (many, few):
    compare("fixed_features_ml", count)

# %% tags=["lesson"]
for count in (many, few):
    compare("fixed_features_ml", count, weights="random")

# %% tags=["lesson"]
names = {
    ("radiomics_ml",): "radiomics, readers' outlines",
    ("radiomics_ml", "threshold"): "radiomics, outlines by threshold",
    ("fixed_features_ml",): "fixed ImageNet features",
    ("fixed_features_ml", "random"): "fixed random features",
    ("fine_tuning",): "fine-tuning",
    ("resnet_baseline",): "ResNet from scratch",
}
ruler = f"{auc(size, test['label']):.3f}"
rows = [
    [label, *(f"{results.get((*which, count), float('nan')):.3f}" for count in (few, many))]
    for which, label in names.items()
]
Table(
    "Test AUC by number of training nodules, one seed (nan: not run)",
    ["method", f"{few} nodules", f"{many} nodules"],
    [*rows, ["size in the readers' outline", ruler, ruler]],
)


# %% tags=["lesson"]
pairs = {
    "radiomics beats the ResNet from scratch": (("radiomics_ml",), ("resnet_baseline",)),
    "fine-tuning beats the ResNet from scratch": (("fine_tuning",), ("resnet_baseline",)),
    "photographs beat random weights": (("fixed_features_ml",), ("fixed_features_ml", "random")),
}
for count in (few, many):
    for text, sides in pairs.items():
        better, worse = (runs[*side, count] for side in sides)
        print(show.claim(f"With {count}, {text}", better, worse, "auc"))

# %% tags=["lesson"]
ids = {"radiomics": "radiomics_ml", "ResNet": "resnet_baseline", "fine-tuning": "fine_tuning"}
guess.compare(
    "classification.features",
    {name: 100 * results[one, many] for name, one in ids.items()},
    unit="hundredths of AUC",
    store=store,
)

# %% [markdown]
# **Read with care.** Ten nodules are a lottery: another seed draws other ten. And look at the last
# row: a ruler does well, because readers call large nodules suspicious.
#
# Radiomics measures size at once. A network must first find the nodule among vessels, and learn that
# its size matters. With more examples it can: that is the slope from left to right.

# %% [markdown]
# ## 6 · Easy cases first
#
# Physicians meet clear cases before doubtful ones. A **curriculum** does the same: at first only
# the easiest cases may be drawn, later all. Difficulty is how unsure the readers were.
#
# $$\text{pace}(t) = s + (1 - s)\,\min(t / t_\text{full},\, 1)$$
#
# Write which cases may be drawn once a share `done` of the steps is past.


# %% tags=["lesson"]
def easy_first(difficulty, done, start, full_at):
    """Numbers of the easiest cases; as many as the pace allows of difficulty (N,)."""
    ### BEGIN SOLUTION
    pace = start + (1 - start) * min(done / full_at, 1.0)
    count = max(1, round(pace * len(difficulty)))
    return difficulty.argsort()[:count]
    ### END SOLUTION


# %% tags=["lesson"]
easy_first = exercise("classification.easy_first").check(easy_first)

# %% tags=["lesson"]
# exercise("classification.easy_first").hint(1)

# %% tags=["lesson"]
difficulty = 2 - (train["malignancy"] - 3).abs()
for done in (0.0, 0.3, 0.6):
    drawn = torch.as_tensor(easy_first(difficulty, done, 0.3, 0.6))
    print(f"{done:.0%} done: {len(drawn)} cases, mean difficulty {difficulty[drawn].mean():.2f}")

# %% [markdown]
# A gain proves nothing yet. Two controls have the same pace and as many updates: **random** order,
# and **hard** cases first. Only if *easy* beats both was it the order that helped.
#
# To make it harder, a fifth of the labels is wrong here: at random, in easy cases as often as in hard
# ones. The readers' doubt cannot point them out, so do not expect the order to protect from them.

# %% tags=["lesson"]
wrong = "nodules/300_noisy"
orders = {"all at once": run_here(task, "resnet_baseline", wrong, profile, seed, store=store)}

# %% tags=["lesson"]
orders["easy first"] = run_here(
    task, "curriculum_learning", wrong, profile, seed, {"order": "easy"}, store
)

# %% tags=["lesson"]
orders["random order"] = run_here(
    task, "curriculum_learning", wrong, profile, seed, {"order": "random"}, store
)

# %% tags=["lesson"]
orders["hard first"] = run_here(
    task, "curriculum_learning", wrong, profile, seed, {"order": "hard"}, store
)

# %% tags=["lesson"]
found = {name: show.mean_scores(record)["auc"] for name, record in orders.items()}
print({name: round(value, 3) for name, value in found.items()})
for control in ("all at once", "random order", "hard first"):
    text = f"Easy first beats {control}"
    print(show.claim(text, orders["easy first"], orders[control], "auc"))

# %% [markdown]
# **No gain is a result.** With one seed and this many test cases, differences below about 0.06 are
# noise. The survey says that a curriculum raises accuracy; of the two papers that it cites for
# this, one has no curriculum at all.

# %% [markdown]
# ## 7 · The leaderboard
#
# The default benchmark, and the runs that you made with the same data set. In our run nothing beat
# the ruler along the readers' outline; radiomics, which has that outline too, came closest.

# %% [markdown]
# Each row is a paper. Its card, unfolded: the idea, the equation, the drawing with the sizes of this
# lesson, what was shrunk, what it claims and whether that held here, and a question to think about.

# %% tags=["lesson"]
show.cards("majority", "nodule_size", "radiomics_ml", "fixed_features_ml")

# %% tags=["lesson"]
show.cards(
    "resnet_baseline",
    "fine_tuning",
    "curriculum_learning",
    "agcnn_thorax",
    on=(classification, splits, profile),
)

# %% tags=["lesson"]
show.leaderboard(task, store, dataset)

# %% [markdown]
# ## 8 · What do you remember?

# %% tags=["lesson"]
quiz("classification")

# %% [markdown]
# ## Recap
#
# - The ROC curve belongs to the classifier, the threshold to whoever decides, the worth of an alarm
#   to the prevalence.
# - Ranking well (AUC) and meaning what one says (calibration) are two things. A new scanner may
#   take one and leave the other.
# - With few examples prior knowledge decides: measured features bring the most, random features
#   show how much of "transfer" is none.
# - A curriculum without its controls is a story.
#
# **To go on**: `method = "agcnn_thorax"` finds where to look again; `options` such as
# `{"depth": 7}` free more of the network; `course bench --dataset path:…` takes MedMNIST files.

# %% [markdown]
# ## References
#
# - The survey: Wang L, Qin Y 2020, section 4.1,
#   doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056)
# - AUC as a probability: Hanley J A, McNeil B J 1982, Radiology 143(1),
#   doi [10.1148/radiology.143.1.7063747](https://doi.org/10.1148/radiology.143.1.7063747)
# - Radiomic features: Zwanenburg A et al. 2020, Radiology 295(2),
#   doi [10.1148/radiol.2020191145](https://doi.org/10.1148/radiol.2020191145)
# - ResNet: He K et al. 2016, CVPR,
#   doi [10.1109/CVPR.2016.90](https://doi.org/10.1109/CVPR.2016.90)
# - Fine-tuning: Tajbakhsh N et al. 2016, IEEE TMI 35(5),
#   doi [10.1109/TMI.2016.2535302](https://doi.org/10.1109/TMI.2016.2535302)
# - Curriculum: Bengio Y et al. 2009, ICML,
#   doi [10.1145/1553374.1553380](https://doi.org/10.1145/1553374.1553380)
# - AG-CNN: Guan Q et al. 2018, [arXiv:1801.09927](https://arxiv.org/abs/1801.09927)
# - Nodules and readers: Armato S G et al. 2011, LIDC-IDRI, CC BY 3.0,
#   doi [10.1118/1.3528204](https://doi.org/10.1118/1.3528204)
