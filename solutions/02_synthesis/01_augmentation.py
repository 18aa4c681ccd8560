# %% [markdown]
# # Augmentation: new pictures from old ones
#
# A hundred labelled nodules are few. Can we make more, by turning the ones we have, or by letting
# a network draw some that no patient ever had?
#
# After this lesson you can
#
# - say which changes of a patch keep its label, and see where they stop helping,
# - write the two losses of a GAN, and know why the generator's is not the obvious one,
# - judge made pictures by what a classifier gains from them, and by a distance without bias.

# %%
import os

from IPython.display import display

from course_lib.benchmark.job import run_here
from course_lib.lesson import dataset_here, show

# %% [markdown]
# **Parameters.** The benchmark runs this same notebook with other values. The data set `anomaly`
# asks another question, which other methods answer: `anogan` and `pca_residual`.

# %% tags=["parameters"]
task = "augmentation"
method = "liver_dcgan"
dataset = dataset_here(task)
profile = os.environ.get("COURSE_PROFILE", "class")
seed = 0
options = "{}"
store = "runs"  # finished runs are kept here and not repeated
folder = None

# %% [markdown]
# ## 1 · The idea
#
# Here are lung nodules that radiologists thought benign, and others that they thought malignant.
# A classifier shall learn the difference from a hundred of them.

# %% tags=["lesson"]
import torch

from course_lib import catalogue, device
from course_lib.lesson import exercise, guess, quiz
from course_lib.lesson.widgets.changes import changes_explorer
from course_lib.parts.hounsfield import from_lung_range

print(device.describe())
torch.set_num_threads(1)  # networks this small are faster on one core than on two
augmentation = catalogue.question(task, dataset)
splits = augmentation.make(dataset, profile, seed)
patches = splits.train["image"]
pixel_mm = float(splits.train.spacing_mm[0, 0])


def row(images, label):
    """Four pictures under one title each."""
    return {f"{label} {k + 1}": image for k, image in enumerate(images[:4])}


# %% tags=["lesson"]
display(
    show.images(
        row(patches[0::2], "benign"),
        alt="Four patches of lung with a small, round nodule each.",
        window=(-1000, 400),
        pixel_mm=pixel_mm,
    ),
    show.images(
        row(patches[1::2], "malignant"),
        alt="Four patches of lung with a nodule each, larger and with ragged edges.",
        window=(-1000, 400),
        pixel_mm=pixel_mm,
    ),
)

# %% [markdown]
# **What was measured, what was simulated?** The shapes were outlined, and the malignancy rated, by
# up to four radiologists. The lung around is a real scan. The nodule's own grey values are
# simulated from the radiologists' ratings, because these outlines come without their pixels.
#
# "Malignant" is an opinion here, not a biopsy.

# %% tags=["lesson"]
for part in ("train", "validation", "test"):
    cases = getattr(splits, part)
    print(f"{part}: {len(cases)} nodules of {len(set(cases.subject))} patients")
print("patients in training and test:", len(set(splits.train.subject) & set(splits.test.subject)))

# %% [markdown]
# ## 2 · See the changes
#
# The classic way: mirror, turn, shift, scale a patch, add noise, and keep the label.
#
# **Now go too far.**
#
# 1. Turn by up to 180 degrees. Would a radiologist change the rating?
# 2. Scale by up to 80 %. Would one now?
# 3. Shift, until the nodule leaves the patch. What does the label say then?

# %% tags=["lesson"]
changes_explorer(torch.cat([patches[:1], patches[1:2]]), ("benign", "malignant"), pixel_mm)

# %% [markdown]
# A change is safe when the label does not know of it. Nodules lie in any direction, so turning is
# safe. Size is the strongest sign of malignancy, so strong scaling makes wrong labels.
#
# The rule for anatomy with a top and a bottom is another one: who mirrors a chest X-ray moves the
# heart to the wrong side.

# %% [markdown]
# **Does it help?** The judge is a small classifier, three times with three fixed seeds. It learns
# from what a method hands to it, always for the same number of steps, and is then tested on
# nodules of other patients. The score is the area under the ROC curve (AUC): 50 % is guessing.

# %% tags=["lesson"]
auc, judged = {}, {}


def judge(name, number=seed, question=dataset):
    """One method as a job of the benchmark; keeps its AUC in percent."""
    found = run_here(task, name, question, profile, number, store=store)
    auc[name, number], judged[name, number] = 100 * show.mean_scores(found)["auc"], found
    print(f"{name}, seed {number}: AUC {auc[name, number]:.1f} %")
    return found


none = judge("no_augmentation")

# %% tags=["lesson"]
classic = judge("classic_augmentation")
print("chosen on validation:", classic["settings"]["chosen"])

# %% [markdown]
# How many changed copies of each nodule are enough? The judge takes the same number of steps each
# time; only the variety grows.

# %% tags=["lesson"]
copies = {0: auc["no_augmentation", seed]}
for count in (1, 4, 16):
    changed = catalogue.build("classic_augmentation", copies=count).fresh(splits.facts)
    changed.prepare(splits.train)
    changed.set(classic["settings"]["chosen"])
    with torch.no_grad():
        answer = changed.predict(splits.test.tensors)
        scores = augmentation.score(answer, splits.test.tensors, splits.facts)
    copies[count] = 100 * float(scores["auc"].mean())
show.lines(
    {"classic augmentation": copies},
    across="changed copies of each nodule (0: as they are)",
    up="AUC (%)",
    title="More copies of the same nodules",
)

# %% [markdown]
# Where the curve goes flat is the plateau that the survey speaks of (section 2.2.1): turned copies
# are still the same hundred nodules. Steps up and down of a percent are chance.
#
# ## 3 · Build it: two networks that play
#
# A **generator** $G$ turns random numbers $z$ into a picture. A **discriminator** $D$ gives each
# picture a logit: real if positive. Each learns from the other (Goodfellow 2014).
#
# $$L_D = -\log\sigma(D(x)) - \log\bigl(1 - \sigma(D(G(z)))\bigr) \qquad
# L_G = -\log\sigma(D(G(z)))$$
#
# The obvious loss for $G$ would be the second term of $L_D$ with the sign turned. But as long as
# $D$ sees through everything, that term is flat, and $G$ learns nothing.
#
# Write both, as means over the batch. Logits can be large: do not take the logarithm of zero.


# %% tags=["lesson"]
def gan_losses(real, fake):
    """(L_D, L_G) from the logits (N,) of real and of made pictures."""
    ### BEGIN SOLUTION
    softplus = torch.nn.functional.softplus
    return softplus(-real).mean() + softplus(fake).mean(), softplus(-fake).mean()
    ### END SOLUTION


# %% tags=["lesson"]
gan_losses = exercise("augmentation.gan_losses").check(gan_losses)

# %% [markdown]
# Three hints wait: where to look, the idea, nearly the code. Remove the `#` and run the cell.

# %% tags=["lesson"]
# exercise("augmentation.gan_losses").hint(1)

# %% [markdown]
# Your losses at work, where the discriminator is sure that a picture is made (a logit of -6): how
# steep is the generator's way up?

# %% tags=["lesson"]
logit = torch.tensor([-6.0], requires_grad=True)
mine = gan_losses(torch.tensor([6.0]), logit)[1]
obvious = torch.log(1 - logit.sigmoid()).mean()
for name, loss in (("yours", mine), ("the obvious one", obvious)):
    print(f"{name}: slope {torch.autograd.grad(loss, logit)[0].item():.4f}")

# %% [markdown]
# **DCGAN** (Radford 2016) is the recipe that made such networks train: strided convolutions instead
# of pooling, batch norm, tanh at the end. Here is the generator that this lesson uses.

# %% tags=["lesson"]
from course_lib.parts.augmentation import dcgan

show.source(dcgan.generator)

# %% [markdown]
# A generator knows no classes. Frid-Adar (2018) therefore trained one pair of networks **for each
# class** of liver lesion, so that each made lesion comes with its label, and gave the classifier
# real, classically changed and made lesions.

# %% tags=["lesson"]
pairs = type(catalogue.build("liver_dcgan"))
display(show.source(dcgan.Pair.losses), show.source(pairs.losses))

# %% [markdown]
# The next cell trains and tests. It is the cell that the benchmark runs, for every method, data
# set and seed. In `class` it takes about a minute; a run that is already in `store` is only read.

# %% [markdown]
# **Predict first.** Will lesions that GANs have made raise the judge's AUC above what classic
# changes give?

# %% tags=["lesson"]
guess.winner(
    "augmentation.gans",
    who="",  # "classic augmentation" or "class-wise DCGANs"
    by=None,  # how many % AUC
    among=("classic augmentation", "class-wise DCGANs"),
    unit="% AUC",
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
# The losses of a GAN do not fall: when one player wins, the other loses. The curve on the right is
# what counts.
#
# Now **look** at what was drawn. Nodules in a dark lung, with bright walls: but blurred, with a
# grain that no scanner has, and walls that lead nowhere.

# %% tags=["lesson"]
import numpy as np

from course_lib.benchmark.store import Store

with np.load(Store(store).place(record["key"]) / "pictures.npz") as kept:
    drawn = kept["made"].astype("float32")
display(
    *(
        show.images(
            row(drawn[start::2], label),
            alt=f"Four made patches of the class {label}: blurred blobs and walls.",
            window=(-1000, 400),
            pixel_mm=pixel_mm,
        )
        for start, label in ((0, "made, benign"), (1, "made, malignant"))
    )
)

# %% [markdown]
# ## 4 · A walk between two nodules
#
# Each picture belongs to a $z$. Does the generator know only single points, or also the way
# between them? A few steps of training are enough to see the walk, not to see nodules.

# %% tags=["lesson"]
from course_lib.fit import fit
from course_lib.tasks.base import Plan

small = catalogue.build("liver_dcgan")
plan = Plan(steps=4 if profile == "smoke" else 150, batch=32, evaluations=1)
fit(small, augmentation, splits, profile=profile, seed=seed, plan=plan, progress=False)
ends = dcgan.noise(2, torch.Generator().manual_seed(3))
with torch.no_grad():
    walk = {
        f"{share:.0%} of the way": from_lung_range(
            small.of_class[1].generator(torch.lerp(ends[:1], ends[1:], share))
        )
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    }
show.images(
    walk,
    alt="Five made patches on the way from one random point to another; each differs a little.",
    window=(-1000, 400),
)

# %% [markdown]
# If the pictures change smoothly, the generator has not learnt its patches by heart. It also shows
# what is between two nodules of the training set: never a third patient.
#
# ## 5 · How far are made pictures from real ones?
#
# No pixel can be compared: there is no truth for a picture that nobody took. So two crowds are
# compared, by the features of a network trained on photographs. The **kernel distance** asks: are
# pictures of one crowd more like each other than like those of the other?
#
# $$\overline{k(x, x')} + \overline{k(y, y')} - 2\, \overline{k(x, y)} \qquad
# k(x, y) = \left(\tfrac{x \cdot y}{d} + 1\right)^3$$
#
# Write it, for features (n, d) and (m, d). The first two means must leave out each picture's
# comparison with itself: that is what makes the distance unbiased.


# %% tags=["lesson"]
def kernel_distance(real, made):
    """The unbiased kernel distance of features (n, d) and (m, d): one number."""

    ### BEGIN SOLUTION
    def kernel(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def among(x):
        values = kernel(x, x)
        return (values.sum() - values.diagonal().sum()) / (len(x) * (len(x) - 1))

    return among(real) + among(made) - 2 * kernel(real, made).mean()
    ### END SOLUTION


# %% tags=["lesson"]
kernel_distance = exercise("augmentation.kernel_distance").check(kernel_distance)

# %% tags=["lesson"]
# exercise("augmentation.kernel_distance").hint(1)

# %% [markdown]
# Why not the well-known Fréchet distance (FID)? Take two halves of **one and the same** set of
# real patches. An honest distance is zero.

# %% tags=["lesson"]
from course_lib.metrics.generation import frechet_distance
from course_lib.tasks.augmentation.malignancy import image_features

features = image_features(splits.test["image"], splits.facts.window)
generator = torch.Generator().manual_seed(0)
halves = {"Fréchet distance": {}, "kernel distance": {}}
for count in [n for n in (3, 6, 10, 20, 40, 90) if 2 * n <= len(features)]:
    drawn_pairs = [torch.randperm(len(features), generator=generator) for _ in range(20)]
    pairs = [(features[k[:count]], features[k[count : 2 * count]]) for k in drawn_pairs]
    for name, distance in zip(halves, (frechet_distance, kernel_distance), strict=True):
        halves[name][count] = float(torch.stack([distance(a, b) for a, b in pairs]).mean())
show.lines(
    halves,
    across="pictures in each half",
    up="distance (no common unit)",
    title="Two halves of the same real pictures",
)

# %% [markdown]
# The Fréchet distance falls with the number of pictures, though nothing else changes. Two papers
# that used different numbers of pictures cannot be compared by it.

# %% [markdown]
# ## 6 · Break it
#
# The claim: classic augmentation saturates, and class-wise GANs go beyond it (section 2.2.1;
# Frid-Adar: sensitivity from 78.6 to 85.7 %, with 182 lesions).
#
# One run says little. Another seed draws other training nodules and other first weights.

# %% tags=["lesson"]
made = judge("liver_dcgan")

# %% tags=["lesson"]
again = judge("classic_augmentation", seed + 1)

# %% tags=["lesson"]
again = judge("liver_dcgan", seed + 1)

# %% [markdown]
# And a generator without any network: for each class a Gaussian around the mean patch, along the
# directions in which patches differ most. Its pictures are blurred sums. If *these* help as much
# as those of the GAN, it was not the GAN's art.

# %% tags=["lesson"]
pca = judge("pca_sampler")

# %% tags=["lesson"]
names = {
    "classic_augmentation": "classic augmentation",
    "liver_dcgan": "and class-wise DCGANs",
    "pca_sampler": "and a PCA sampler",
}
seeds = (seed, seed + 1)
show.lines(
    {
        label: {number: auc[name, number] for number in seeds if (name, number) in auc}
        for name, label in names.items()
    },
    across="seed",
    up="AUC on test patients (%)",
    title="Is the gain larger than the spread of the seeds?",
)

# %% tags=["lesson"]
runs = {
    name: judged[name, seed] for name in ("no_augmentation", "classic_augmentation", "liver_dcgan")
}
plain, classic, gans = runs.values()
print(show.claim("Classic changes help", classic, plain, "auc"))
print(show.claim("Class-wise GANs go beyond", gans, classic, "auc"))
gains = [auc["liver_dcgan", k] - auc["classic_augmentation", k] for k in seeds]
print("gain of the GANs by seed:", ", ".join(f"{gain:+.1f} %" for gain in gains))

# %% tags=["lesson"]
guess.compare(
    "augmentation.gans",
    {
        "classic augmentation": auc["classic_augmentation", seed],
        "class-wise DCGANs": auc["liver_dcgan", seed],
    },
    unit="% AUC",
    store=store,
)

# %% [markdown]
# **Read with care.** 180 test nodules leave an uncertainty of about 2 % in each AUC, and the
# methods share them. A gain of a percent that changes its sign with the seed is not a gain.
#
# The generators saw the same hundred nodules as the classifier. They cannot know other patients.
# What they add is a smoother way between the known ones, and wrong textures.

# %% [markdown]
# ## 7 · Filed here, but asking something else: AnoGAN
#
# The survey lists **AnoGAN** (Schlegl 2017) under augmentation. The paper is about finding what
# does not belong: a GAN learns healthy tissue only, and for a new patch one searches the $z$ whose
# picture comes nearest. What cannot be drawn must be a lesion.
#
# That is another question, so it has a data set of its own: the same places in the lung, with and
# without a nodule. The score is the AUC for "is there one?".

# %% tags=["lesson"]
anogan = judge("anogan", question="anomaly")

# %% tags=["lesson"]
residual = judge("pca_residual", question="anomaly")

# %% tags=["lesson"]
show.strip(anogan, store)

# %% [markdown]
# The baseline keeps a few directions of largest variance of healthy lung and calls abnormal what
# they cannot describe. No network at all.
#
# A minute is short for this generator: what it draws is dotted where lung is smooth, and the baseline
# was ahead when this lesson was written.
#
# Look at the map. A vessel that the generator cannot draw is as bright as a nodule: rare and ill
# are not the same.

# %% [markdown]
# ## 8 · The leaderboard
#
# The default benchmark, and the runs that you made.

# %% [markdown]
# Each row is a paper. Its card, unfolded: the idea, the equation, the drawing with the sizes of this
# lesson, what was shrunk, what it claims and whether that held here, and a question to think about.

# %% tags=["lesson"]
show.cards("no_augmentation", "classic_augmentation", "pca_sampler", "pca_residual")

# %% tags=["lesson"]
show.cards("dcgan", "liver_dcgan", on=(augmentation, splits, profile))

# %% tags=["lesson"]
show.cards("anogan")

# %% tags=["lesson"]
show.leaderboard(task, store, dataset)

# %% [markdown]
# ## 9 · What do you remember?

# %% tags=["lesson"]
quiz("augmentation")

# %% [markdown]
# ## Recap
#
# - Classic changes are safe as long as the label does not know of them. Their gain ends somewhere,
#   because copies are still the same patients.
# - A GAN is two losses; the generator's must push where the discriminator is sure.
# - Made pictures are judged by what a classifier gains on real test patients, over several seeds,
#   with the same judge and the same steps for all.
# - The Fréchet distance depends on how many pictures are compared. The kernel distance does not.
# - AnoGAN finds what healthy tissue does not explain; that includes rare healthy tissue.
#
# **To go on**: `method = "dcgan"`, one generator for all classes; `options = '{"share": 0.25}'`; or
# images of your own, `dataset = "path:breastmnist.npz"`.

# %% [markdown]
# ## References
#
# - The survey: Wang L, Qin Y 2020, section 2.2.1,
#   doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056)
# - GAN: Goodfellow I et al. 2014, NeurIPS, [arXiv:1406.2661](https://arxiv.org/abs/1406.2661)
# - DCGAN: Radford A et al. 2016, ICLR, [arXiv:1511.06434](https://arxiv.org/abs/1511.06434)
# - Class-wise DCGANs: Frid-Adar M et al. 2018, Neurocomputing 321,
#   doi [10.1016/j.neucom.2018.09.013](https://doi.org/10.1016/j.neucom.2018.09.013)
# - AnoGAN: Schlegl T et al. 2017, IPMI,
#   doi [10.1007/978-3-319-59050-9_12](https://doi.org/10.1007/978-3-319-59050-9_12)
# - Kernel distance: Bińkowski M et al. 2018, ICLR,
#   [arXiv:1801.01401](https://arxiv.org/abs/1801.01401)
# - Nodules and chest CT: LIDC-IDRI, CC BY 3.0,
#   doi [10.1118/1.3528204](https://doi.org/10.1118/1.3528204)
