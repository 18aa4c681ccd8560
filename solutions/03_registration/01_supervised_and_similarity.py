# %% [markdown]
# # Registration: labels, similarity, poses
#
# Two pictures of one anatomy, never in the same place. Which point here is which point there? And
# who could teach a network that, when nobody knows the answer?
#
# After this lesson you can
#
# - read a displacement field, and warp an image by it,
# - measure how alike two images are, and say when that measure is blind,
# - test how far a network can come whose labels are wrong,
# - find the pose of a patient in an X-ray from what is still wrong.

# %%
import os

from IPython.display import display

from course_lib.benchmark.job import run_here
from course_lib.lesson import dataset_here, show

# %% [markdown]
# **Parameters.** The benchmark runs this same notebook with other values. The data set's name says
# who is registered to whom: `brain_2d/known_fields`, `brain_2d/between_donors`,
# `brain_t1_t2/known_fields`, `brain_3d/known_fields`, or `chest_drr/pose`.

# %% tags=["parameters"]
task = "registration"
method = "supervised_ddf_regression"
dataset = dataset_here(task)
profile = os.environ.get("COURSE_PROFILE", "class")
seed = 0
options = "{}"
store = "runs"  # finished runs are kept here and not repeated
folder = None

# %% [markdown]
# ## 1 · The idea
#
# Below are two brain slices of one person, deformed in two different ways. On the right the
# **moving** one has been warped onto the **fixed** one, by the true field.

# %% tags=["lesson"]
from dataclasses import replace

import torch

from course_lib import catalogue, device
from course_lib.fit import evaluate, fit, predict
from course_lib.lesson import exercise, guess, quiz
from course_lib.lesson.widgets.pose import pose_explorer
from course_lib.metrics.registration import endpoint_error_mm
from course_lib.physics import fields

print(device.describe())
registration = catalogue.question(task, dataset)
splits = registration.make(dataset, profile, seed)
case = splits.validation.batch(slice(0, 1))
pixel_mm = float(splits.validation.spacing_mm[0, -1])
window = (0.0, 1.2)

# %% tags=["lesson"]
show.images(
    {
        "fixed": case["fixed"],
        "moving": case["moving"],
        "moving, warped": fields.warp(case["moving"], case["displacement"]),
    },
    alt="Two slices of one brain, deformed differently; the second warped onto the first.",
    window=window,
    unit="a.u.",
    pixel_mm=pixel_mm,
)

# %% [markdown]
# **What was measured, what was simulated?** The outlines of cortex and nuclei were measured, in six
# donors. Each is deformed at random and rendered as an MR scanner would show it, with noise and
# shading. So the true field is known at every pixel, which no hospital can offer.
#
# Donors who are tested on have never been trained on.

# %% tags=["lesson"]
for part in ("train", "validation", "test"):
    cases = getattr(splits, part)
    print(f"{part}: {len(cases)} pairs of {', '.join(sorted(set(cases.subject)))}")

# %% [markdown]
# ## 2 · Build it: warping by a field
#
# A **displacement field** $u$ says for every pixel where to look in the moving image:
#
# $$\text{warped}(x) = \text{moving}(x + u(x))$$
#
# It *pulls*. The field lives on the grid of the fixed image, so every pixel gets exactly one value
# and no holes appear. Write it: `grid` holds each pixel's own position $x$, and `look_up` reads an
# image at any positions, also between pixels.


# %% tags=["lesson"]
def warp(image, displacement, grid, look_up):
    """The image (N, 1, H, W) warped by the displacement (N, 2, H, W) in pixels, rows first."""
    ### BEGIN SOLUTION
    return look_up(image, grid + displacement)
    ### END SOLUTION


# %% tags=["lesson"]
warp = exercise("registration_supervised.warp").check(warp)

# %% [markdown]
# Three hints wait: where to look, the idea, nearly the code. Remove the `#` and run the cell.

# %% tags=["lesson"]
# exercise("registration_supervised.warp").hint(1)

# %% [markdown]
# Your function with the true field, with half of it, and with its sign turned round:

# %% tags=["lesson"]
grid = fields.voxel_grid(case["fixed"].shape[2:])
truth = case["displacement"]
show.images(
    {
        "fixed": case["fixed"],
        "true field": warp(case["moving"], truth, grid, fields.look_up),
        "half of it": warp(case["moving"], truth / 2, grid, fields.look_up),
        "wrong sign": warp(case["moving"], -truth, grid, fields.look_up),
    },
    alt="The fixed slice; the moving one warped by the true field, by half of it, and by its "
    "opposite, which doubles the error.",
    window=window,
    unit="a.u.",
)

# %% [markdown]
# ## 3 · Build it: how alike are two images?
#
# Without a true field, one can only look: does the warped image resemble the fixed one? The
# **correlation coefficient** does not care for brightness and contrast:
#
# $$\text{NCC}(a, b) = \frac{\sum (a - \bar a)(b - \bar b)}{\lVert a - \bar a\rVert\,
# \lVert b - \bar b\rVert}$$
#
# Write it for many pairs at once: one number per case.


# %% tags=["lesson"]
def correlation(one, other):
    """The correlation coefficient of images (N, 1, H, W), one number per case: (N,)."""
    ### BEGIN SOLUTION
    one, other = one.flatten(1), other.flatten(1)
    one = one - one.mean(1, keepdim=True)
    other = other - other.mean(1, keepdim=True)
    return (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1))
    ### END SOLUTION


# %% tags=["lesson"]
correlation = exercise("registration_supervised.correlation").check(correlation)

# %% tags=["lesson"]
# exercise("registration_supervised.correlation").hint(1)

# %% [markdown]
# Now slide an image over itself, and a T2 image over the T1 image of the same head. A good
# similarity has one peak, where they fit.

# %% tags=["lesson"]
contrasts = "brain_t1_t2/known_fields"
two = catalogue.question(task, contrasts).make(contrasts, profile, seed)
pair = two.validation.batch(slice(0, 1))
shifts = list(range(-8, 9, 2))
curves = {"T1 over T1": {}, "T2 over T1": {}}
for shift in shifts:
    for name, image in (("T1 over T1", pair["fixed"]), ("T2 over T1", pair["aligned"])):
        moved = torch.roll(image, shift, dims=-1)
        curves[name][shift * pixel_mm] = float(correlation(pair["fixed"], moved))
show.lines(
    curves,
    across="shift to the right (mm)",
    up="correlation (no unit)",
    title="Where does correlation peak?",
)

# %% [markdown]
# Between two contrasts a plain correlation is not high even where everything fits, and hardly lower
# where nothing does: fluid is dark in T1 and bright in T2, and most of what is left is head against
# air. One can design a better similarity (mutual information). Or learn one.
#
# ## 4 · Who teaches the network? Labels from four sources
#
# **Supervised regression**: a U-Net sees both images and is trained to answer a given field. No
# image appears in its loss. Then the labels decide.

# %% tags=["lesson"]
supervised = catalogue.build("supervised_ddf_regression")
show.source(type(supervised).losses)

# %% [markdown]
# The next cell trains and tests with **exact** fields, which exist because the pairs are simulated.
# It is the cell that the benchmark runs, for every method, data set and seed.

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
# The pair below the curve was picked by rule: the median test pair. `input` is the moving image,
# `truth` the fixed one.

# %% [markdown]
# ## 5 · Break it: wrong labels
#
# The survey's warning: supervised accuracy **stops at its label source**. For real patients labels
# come from a classical algorithm. We train the same network three times, on the true fields, on what
# *demons* found, and on what they found after two iterations only: the same pairs, and half of the
# steps of the run above.

# %% tags=["lesson"]
question = catalogue.question(task, "brain_2d/known_fields")
taught = question.make("brain_2d/known_fields", profile, seed)
half = replace(question.plans[profile], steps=question.plans[profile].steps // 2)
pupils, results = {}, {}


def teach(source):
    """A network that learns from this source's fields; keeps it and its scores on test pairs."""
    pupils[source] = catalogue.build("supervised_ddf_regression", labels=source)
    fit(pupils[source], question, taught, profile=profile, seed=seed, plan=half)
    results[source] = evaluate(pupils[source], question, taught.test)


teach("exact")

# %% [markdown]
# Before the next two can learn, demons register all training pairs.

# %% tags=["lesson"]
teach("demons")

# %% tags=["lesson"]
teach("demons_few")

# %% [markdown]
# How good are the labels themselves? On the test pairs we ask each source, and compare with the
# truth, as we do with the network that learnt from it.

# %% tags=["lesson"]
batch = taught.test.tensors
head = batch["fixed_label"] > 0


def apart(one, other):
    """Mean distance of two fields inside the head, mm."""
    return float(endpoint_error_mm(one, other, taught.facts.spacing_mm, head).mean())


labels = {source: pupil.label_fields(batch) for source, pupil in pupils.items()}
for source in pupils:
    print(
        f"{source:11}: labels are {apart(labels[source], batch['displacement']):.1f} mm from the "
        f"truth, the network that learnt from them {results[source]['endpoint_error_mm']:.1f} mm"
    )

# %% tags=["lesson"]
error = {labels: scores["endpoint_error_mm"] for labels, scores in results.items()}
text = "Demons' labels leave a larger error than exact ones"
print(show.seen(text, error["demons"], error["exact"], "mm"))
text = "Stopped early, a larger one still"
print(show.seen(text, error["demons_few"], error["demons"], "mm"))

# %% [markdown]
# **Read with care.** A network cannot be expected to pass its labels. But no network here comes down
# to them: half a minute of training on a few hundred pairs is the tighter limit.
#
# So this run cannot show that accuracy stops at the labels. It shows whether better labels teach
# faster, at equal network, pairs and steps; between the two kinds of demons' labels it may not tell
# even that.
#
# And the network's *distance to its own labels*? A small one only says that it imitates well. Ask
# the network that learnt from demons for both distances.

# %% tags=["lesson"]
answer = predict(pupils["demons"], taught.test)["forward"]
for name, wanted in (("its labels", labels["demons"]), ("truth", batch["displacement"])):
    print(f"distance to {name}: {apart(answer, wanted):.1f} mm")

# %% [markdown]
# ## 6 · A learnt similarity
#
# Simonovsky (2016) learns the similarity itself. A network sees a T1 and a T2 patch as two channels
# and says whether they belong together. Then its *gradient* moves control points, for every pair
# anew.


# %% [markdown]
# **Predict first.** T1 against T2: whose landmarks lie nearer in the end, those of the learnt
# metric or of mutual information?

# %% tags=["lesson"]
guess.winner(
    "registration.similarity",
    who="",  # "deep metric" or "mutual information"
    by=None,  # how many mm
    among=("deep metric", "mutual information"),
    unit="mm",
    store=store,
)


# %% tags=["lesson"]
def run(name, data, **settings):
    """One job of the benchmark."""
    return run_here(task, name, data, profile, seed, settings, store=store)


deep = run("two_channel_deep_metric", contrasts)
display(show.curve(deep))

# %% [markdown]
# Mutual information with the same kind of optimiser (40 steps on each of three lattices, the deep
# metric takes 30), and a single pass of a network that answers fields. That network registers T1 to
# T1, which is the easier task: compare its time, not its millimetres.

# %% tags=["lesson"]
designed = run("ffd_mutual_information", contrasts)

# %% tags=["lesson"]
rows = {"one pass (T1 to T1)": record, "deep metric": deep, "mutual information": designed}
for name, found in rows.items():
    scores = show.mean_scores(found)
    milliseconds = 1000 * found["predict_s_per_case"]
    print(f"{name:24} {scores['tre_mm']:5.1f} mm, {milliseconds:7.1f} ms for a pair, both ways")

# %% tags=["lesson"]
pair = ("deep metric", "mutual information")
guess.compare(
    "registration.similarity",
    {name: show.mean_scores(rows[name])["tre_mm"] for name in pair},
    unit="mm",
    store=store,
    better="lower",
)

# %% [markdown]
# Accurate, and slow: every pair is optimised anew. The one pass is faster by the factor that you
# read above. Whether speed can be had without true fields is the question of the next lesson.

# %% [markdown]
# ## 7 · See the physics: a pose in an X-ray
#
# Rigid registration asks for six numbers. Where did the patient stand when this X-ray was taken? A
# **DRR** is the X-ray that a CT would give: rays are followed from source to detector.
#
# **Now move the patient.**
#
# 1. One degree in the plane, one degree of nod: which changes the picture more?
# 2. Move to the side by 12 mm, then in depth by 12 mm. What does the X-ray hardly see?
# 3. Make the difference picture small by depth alone, after a shift. Can two errors hide each other?

# %% tags=["lesson"]
chest = catalogue.question(task, "chest_drr/pose").make("chest_drr/pose", profile, seed)
pose_explorer(chest.validation.batch(slice(0, 1)), chest.facts)

# %% [markdown]
# Miao (2016) trains networks to read that *difference picture*: what is still wrong tells how to
# mend it. First in the plane, then out of it, then depth, with a new DRR each time.
#
# The HU are measured, of one patient; poses and pictures are simulated, on a finer grid than the
# method may use and with counted photons. Such a network is made for one patient. So the test poses
# are new and the patient is not.

# %% tags=["lesson"]
posed = run("drr_pose_regression", "chest_drr/pose")
display(show.strip(posed, store))

# %% tags=["lesson"]
searched = run("pose_search", "chest_drr/pose")
start = run("identity", "chest_drr/pose")
for name, found in {"first guess": start, "search": searched, "regression": posed}.items():
    scores = show.mean_scores(found)
    print(
        f"{name:12} {scores['tre_mm']:5.1f} mm, in plane {scores['projected_tre_mm']:5.1f} mm, "
        f"{scores['success_percent']:3.0f} % succeed, {found['predict_s_per_case']:.2f} s"
    )

# %% [markdown]
# ## 8 · The leaderboard
#
# The default benchmark, and your own runs on this data set.

# %% [markdown]
# Each row is a paper. Its card, unfolded: the idea, the equation, the drawing with the sizes of this
# lesson, what was shrunk, what it claims and whether that held here, and a question to think about.

# %% tags=["lesson"]
show.cards(
    "identity", "affine", "demons", "bspline", "ffd_ncc", "ffd_mutual_information", "pose_search"
)

# %% tags=["lesson"]
show.cards("supervised_ddf_regression", on=(registration, splits, profile))

# %% tags=["lesson"]
show.cards("two_channel_deep_metric", "drr_pose_regression")

# %% tags=["lesson"]
show.leaderboard(task, store, dataset)

# %% [markdown]
# ## 9 · What do you remember?

# %% tags=["lesson"]
quiz("registration_supervised")

# %% [markdown]
# ## Recap
#
# - A displacement pulls: warped(x) = moving(x + u(x)).
# - Supervised regression imitates. It cannot be expected to pass its labels, and exact ones exist
#   only for simulated pairs.
# - Between contrasts a similarity must be designed or learnt. With an optimiser behind it, it is
#   accurate and slow.
# - A pose network reads the difference between X-ray and DRR, easy parameters first.
#
# **To go on**: `dataset = "brain_2d/between_donors"` with `options = '{"labels": "demons"}'`;
# `labels` may also be `noisy`. Or all methods with `course bench`.

# %% [markdown]
# ## References
#
# - The survey: Wang L, Qin Y 2020, section 3.1,
#   doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056)
# - Deep metric: Simonovsky M et al. 2016, MICCAI,
#   doi [10.1007/978-3-319-46726-9_2](https://doi.org/10.1007/978-3-319-46726-9_2)
# - Pose regression: Miao S, Wang Z J, Liao R 2016, IEEE TMI 35(5),
#   doi [10.1109/TMI.2016.2521800](https://doi.org/10.1109/TMI.2016.2521800)
# - Demons: Vercauteren T et al. 2009, NeuroImage 45(1),
#   doi [10.1016/j.neuroimage.2008.10.040](https://doi.org/10.1016/j.neuroimage.2008.10.040)
# - Free-form deformation: Rueckert D et al. 1999, IEEE TMI 18(8),
#   doi [10.1109/42.796284](https://doi.org/10.1109/42.796284)
# - Chest CT: LIDC-IDRI-0001, CC BY 3.0,
#   doi [10.1118/1.3528204](https://doi.org/10.1118/1.3528204)
