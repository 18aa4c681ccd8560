# %% [markdown]
# # Registration without labels
#
# A network can learn to register with nothing but pairs of images. But an image hardly says what is
# *right*, only what looks alike. What keeps such a network from tearing tissue apart?
#
# After this lesson you can
#
# - see in a Jacobian determinant where a field folds,
# - say what VoxelMorph minimises, and why it needs no label,
# - switch each of ICNet's three penalties off and tell what it was for.

# %%
import os

from IPython.display import display

from course_lib.benchmark.job import run_here
from course_lib.lesson import dataset_here, show

# %% [markdown]
# **Parameters.** `voxelmorph` and `icnet` take options, such as
# `'{"smooth": 0.5}'` or `'{"folding": 0}'`.

# %% tags=["parameters"]
task = "registration"
method = "voxelmorph"
dataset = dataset_here(task)
profile = os.environ.get("COURSE_PROFILE", "class")
seed = 0
options = "{}"
store = "runs"  # finished runs are kept here and not repeated
folder = None

# %% [markdown]
# ## 1 · The idea
#
# Classical registration searches, for each pair, a field that makes two images alike and stays
# smooth. An unsupervised network minimises the *same* sum, but over all training pairs at once.
# Afterwards one pass is enough.

# %% tags=["lesson"]
import torch

from course_lib import catalogue, device
from course_lib.lesson import exercise, guess, quiz
from course_lib.lesson.widgets.warps import warp_explorer
from course_lib.physics import fields

print(device.describe())
torch.set_num_threads(1)  # networks this small are faster on one core than on two
registration = catalogue.question(task, dataset)
splits = registration.make(dataset, profile, seed)
case = splits.validation.batch(slice(0, 1))
pixel_mm = float(splits.validation.spacing_mm[0, -1])

# %% tags=["lesson"]
show.images(
    {
        "fixed": case["fixed"],
        "moving": case["moving"],
        "difference": (case["moving"] - case["fixed"]).abs(),
    },
    alt="Two slices of one brain, deformed differently, and how much they differ.",
    window=(0.0, 1.2),
    unit="a.u.",
    pixel_mm=pixel_mm,
)

# %% [markdown]
# **What was measured, what was simulated?** The outlines of six donors' brains were measured. The
# deformation, the MR contrast, noise and shading are simulated, so that the true field is known.
# The methods of this lesson never see it: it only judges them.

# %% [markdown]
# ## 2 · See the physics: strength, smoothness, folds
#
# A body can be pushed and stretched, but not turned inside out. Where a field does that it
# **folds**: neighbours exchange places.
#
# **Now move the sliders.**
#
# 1. At which strength does the field begin to fold? Look at the grid there.
# 2. Make the field smoother at the same strength. Why do the folds go?
# 3. Tick *follow the field*: each point now walks along the field in small steps. How much folds
#    now? Is there a setting at which something still does?

# %% tags=["lesson"]
warp_explorer(case["fixed"], pixel_mm)

# %% [markdown]
# Folding depends on how much *neighbours* differ, so on strength divided by smoothness. Walking in
# small steps gives a diffeomorphism: in theory paths never cross. On a grid of pixels, read by
# linear interpolation, a few per cent may still fold where the field is strong and hardly smoother
# than the pixels.
#
# ## 3 · Build it: the determinant that sees folds
#
# How much does a tiny square grow? The map is $x + u(x)$; its derivative is a 2 x 2 matrix:
#
# $$\det \begin{pmatrix} 1 + \partial_y u_y & \partial_x u_y \\ \partial_y u_x & 1 + \partial_x u_x
# \end{pmatrix}$$
#
# 1 keeps the area, 2 doubles it, and at 0 or below the square is folded. Use forward differences
# (the next pixel minus this one), which exist for all but the last row and column.


# %% tags=["lesson"]
def determinant(displacement):
    """The determinants (N, H - 1, W - 1) of fields (N, 2, H, W); channel 0 moves along rows."""
    ### BEGIN SOLUTION
    down = displacement[:, :, 1:, :-1] - displacement[:, :, :-1, :-1]
    right = displacement[:, :, :-1, 1:] - displacement[:, :, :-1, :-1]
    return (1 + down[:, 0]) * (1 + right[:, 1]) - right[:, 0] * down[:, 1]
    ### END SOLUTION


# %% tags=["lesson"]
determinant = exercise("registration_unsupervised.determinant").check(determinant)

# %% [markdown]
# Three hints wait. Remove the `#` and run the cell.

# %% tags=["lesson"]
# exercise("registration_unsupervised.determinant").hint(1)

# %% tags=["lesson"]
truth = case["displacement"]
for strength in (1, 2, 4, 8):
    folded = 100 * float((determinant(strength * truth) <= 0).float().mean())
    print(f"the true field, {strength} times as strong: {folded:.1f} % of the pixels fold")

# %% [markdown]
# ## 4 · Build it: there and back again
#
# Let $u$ take the fixed to the moving image, and $v$ take the moving to the fixed one. Whoever
# goes there and back should be home again. The way back starts where the way there *ended*:
#
# $$u(x) + v(x + u(x)) = 0$$
#
# Write the left side. `warp(field, displacement)` reads a field at displaced places.


# %% tags=["lesson"]
def there_and_back(forward, backward, warp):
    """How far from home each pixel ends: (N, 2, H, W) pixels."""
    ### BEGIN SOLUTION
    return forward + warp(backward, forward)
    ### END SOLUTION


# %% tags=["lesson"]
there_and_back = exercise("registration_unsupervised.there_and_back").check(there_and_back)

# %% tags=["lesson"]
# exercise("registration_unsupervised.there_and_back").hint(1)

# %% tags=["lesson"]
for name, back in {"the negative": -truth, "the inverse": fields.inverse(truth)}.items():
    home = there_and_back(truth, back, fields.warp).norm(dim=1).mean() * pixel_mm
    print(f"there by the true field, back by {name}: {float(home):.2f} mm from home")

# %% [markdown]
# The negative of a field is not its inverse. That is what ICNet's consistency term is about.

# %% [markdown]
# ## 5 · VoxelMorph
#
# One U-Net, two images in, a field out. The loss needs no label: similarity after warping, plus
# smoothness.

# %% tags=["lesson"]
voxelmorph = catalogue.build("voxelmorph")
show.source(type(voxelmorph).terms)

# %% [markdown]
# The next cell trains and tests. It is the cell that the benchmark runs.

# %% [markdown]
# **Predict first.** Landmarks after one pass of VoxelMorph, or after a free form that is
# optimised for each pair anew: which lie nearer, and by how many mm?

# %% tags=["lesson"]
guess.winner(
    "registration.one_pass",
    who="",  # "VoxelMorph" or "free form"
    by=None,  # how many mm
    among=("VoxelMorph", "free form"),
    unit="mm",
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
# What did a minute of learning buy? Three classical methods on the same test pairs: an affine map,
# demons, and an optimiser that maximises VoxelMorph's similarity for each pair anew (with B-splines,
# whose smoothness is measured by their bending).


# %% tags=["lesson"]
def run(name, **settings):
    """One job of the benchmark."""
    return run_here(task, name, dataset, profile, seed, settings, store=store)


rows = {"nothing": run("identity"), "affine": run("affine"), "demons": run("demons")}

# %% tags=["lesson"]
rows |= {"free form, each pair anew": run("ffd_ncc"), "VoxelMorph": record}
for name, found in rows.items():
    scores, seconds = show.mean_scores(found), found["predict_s_per_case"]
    print(
        f"{name:26} {scores['tre_mm']:5.1f} mm, Dice {scores['dice']:.2f}, "
        f"{scores['folding_percent']:.1f} % folded, {1000 * seconds:6.1f} ms"
    )

# %% tags=["lesson"]
both = {"VoxelMorph": record, "free form": rows["free form, each pair anew"]}
guess.compare(
    "registration.one_pass",
    {name: show.mean_scores(found)["tre_mm"] for name, found in both.items()},
    unit="mm",
    store=store,
    better="lower",
)

# %% [markdown]
# After a minute of training the network beats the affine map, but neither demons nor the optimiser
# that takes its time for each pair. It is faster than both by a factor that you can read above.
#
# Its validation error is still falling when the training ends: the paper took 150,000 steps. Speed at
# the price of accuracy is a trade, not a victory, and here you see both sides of it.

# %% [markdown]
# ## 6 · Break it: ICNet without its penalties
#
# ICNet (Zhang 2018) registers both ways at once. Its loss has four terms: similarity, inverse
# consistency, anti-folding, smoothness.

# %% tags=["lesson"]
icnet = catalogue.build("icnet")
show.source(type(icnet).terms)

# %% [markdown]
# The claim: switch each penalty off, and folds or the error of going there and back rise, **at
# nearly equal Dice**. Four trainings, one for each cell.

# %% tags=["lesson"]
ablation = {"all terms": run("icnet")}

# %% tags=["lesson"]
ablation["no consistency"] = run("icnet", consistency=0.0)

# %% tags=["lesson"]
ablation["no anti-folding"] = run("icnet", folding=0.0)

# %% tags=["lesson"]
ablation["no smoothness"] = run("icnet", smooth=0.0)

# %% tags=["lesson"]
scores = {name: show.mean_scores(found) for name, found in ablation.items()}
for name, values in scores.items():
    print(
        f"{name:16} Dice {values['dice']:.2f}, {values['folding_percent']:5.2f} % folded, "
        f"there and back {values['inverse_consistency_mm']:.2f} mm, "
        f"landmarks {values['tre_mm']:.1f} mm"
    )

# %% tags=["lesson"]
whole = ablation["all terms"]
text = "With consistency, there and back agree better"
print(show.claim(text, whole, ablation["no consistency"], "inverse_consistency_mm"))
for name in ("no anti-folding", "no smoothness"):
    text = f"With all terms, fewer pixels fold than with {name}"
    print(show.claim(text, whole, ablation[name], "folding_percent"))

# %% tags=["lesson"]
show.outputs(ablation, store)

# %% [markdown]
# **Read with care.** One seed, one minute each, one weight for each term. Where smoothness alone
# prevents all folds, the anti-folding term has nothing left to do, and switching it off shows
# nothing: that is a result too.
#
# And look at the pictures: they hardly differ. What a field does between the edges cannot be seen
# in a warped image. It can be measured, and that is why folding and consistency are scores.

# %% [markdown]
# ## 7 · The leaderboard

# %% [markdown]
# Each row is a paper. Its card, unfolded: the idea, the equation, the drawing with the sizes of this
# lesson, what was shrunk, what it claims and whether that held here, and a question to think about.

# %% tags=["lesson"]
show.cards("voxelmorph", "icnet", on=(registration, splits, profile))

# %% tags=["lesson"]
show.leaderboard(task, store, dataset)

# %% [markdown]
# ## 8 · What do you remember?

# %% tags=["lesson"]
quiz("registration_unsupervised")

# %% [markdown]
# ## Recap
#
# - An unsupervised network minimises over all pairs what classical registration minimises for one.
# - The Jacobian determinant sees folds; a warped image does not show them.
# - The way back is not the negative of the way there.
# - Equal Dice does not mean equal fields.
#
# **Your own data**: `dataset = "path:FOLDER"` with 2D pictures or NIfTI volumes of different
# people. Without labels only likeness, folds and consistency can be scored, and likeness is what
# the methods maximise: read it as such.

# %% [markdown]
# ## References
#
# - The survey: Wang L, Qin Y 2020, section 3.1,
#   doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056)
# - VoxelMorph: Balakrishnan G et al. 2019, IEEE TMI 38(8),
#   doi [10.1109/TMI.2019.2897538](https://doi.org/10.1109/TMI.2019.2897538)
# - ICNet: Zhang J 2018, arXiv:1809.03443,
#   doi [10.48550/arXiv.1809.03443](https://doi.org/10.48550/arXiv.1809.03443)
# - Local correlation: Avants B B et al. 2008, Medical Image Analysis 12(1),
#   doi [10.1016/j.media.2007.06.004](https://doi.org/10.1016/j.media.2007.06.004)
