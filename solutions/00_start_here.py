# %% [markdown]
# # Start here
#
# This course takes real medical images, spoils them with the physics of the scanner, and lets
# methods repair and read them. You can stop at every station and look.
#
# In ten minutes you will
#
# - see where your notebook computes and which data it has,
# - look at a real chest CT through the windows radiologists use,
# - solve one small exercise, so that you know how the exercises work.

# %% [markdown]
# ## How a lesson works
#
# Run the cells from top to bottom with **Shift + Enter**. Some show sliders: move them. Some ask
# you to write a few lines in place of `...  # your code here`.
#
# You cannot get stuck. An exercise that is left open says so, and the lesson goes on with the
# library's version. Come back to it when you like.

# %% tags=["lesson"]
from course_lib import device
from course_lib.data.sets import chest_ct
from course_lib.lesson import exercise, show
from course_lib.lesson.widgets.slices import slice_explorer

print(device.describe())

# %% [markdown]
# That line says where the computing happens. No graphics card is needed: the lessons are made for
# two processor cores.

# %% [markdown]
# ## The data
#
# All images of this course come from real people or real specimens. Each set has a licence, a
# source and known faults; the folder `datasets/cards` has a page on each.
#
# This table hashes every file again. If something is missing or damaged, it names the command
# that repairs it.

# %% tags=["lesson"]
show.licences()

# %% [markdown]
# One set may not be used for commerce. The course also runs without it.

# %% [markdown]
# ## A first look
#
# A CT scanner measures how strongly each point of the body absorbs X-rays. The unit is named after
# Hounsfield: water is 0 HU, air is -1000 HU, hard bone is above 1000 HU.
#
# A screen shows perhaps 250 greys, the scan has thousands. So one looks through a **window**: a
# centre and a width in HU. Choose *lung*, then *bone*. The patient is the same.

# %% tags=["lesson"]
chest = chest_ct.load()
slice_explorer(chest.image, chest.spacing_mm, f"Chest CT of {chest.subject}")

# %% [markdown]
# The patient lies on the back and is seen from the feet: the left side of the picture is the
# patient's right.
#
# ## Your first exercise
#
# Write the window yourself. The lower end, `centre - width / 2`, becomes 0 (black). The upper end
# becomes 1 (white). What lies outside is cut off.

# %% tags=["lesson"]
import numpy as np


def window(hu, centre, width):
    """Grey values between 0 and 1 for Hounsfield units `hu`, an array of any shape."""
    ### BEGIN SOLUTION
    lowest = centre - width / 2
    return np.clip((hu - lowest) / width, 0, 1)
    ### END SOLUTION


# %% [markdown]
# The next cell looks at what your function does. It says in words what is wrong, if something is.

# %% tags=["lesson"]
window = exercise("start.window").check(window)

# %% [markdown]
# Would you like a hint? There are three: where to look, the idea, nearly the code. Remove the `#`
# and run the cell.

# %% tags=["lesson"]
# exercise("start.window").hint(1)

# %% [markdown]
# Now your window at work, on a slice through the heart.

# %% tags=["lesson"]
slice_hu = chest.image[66]
show.images(
    {
        "soft tissue: 40 ± 200 HU": window(slice_hu, 40, 400),
        "lung: -600 ± 750 HU": window(slice_hu, -600, 1500),
        "bone: 500 ± 1000 HU": window(slice_hu, 500, 2000),
    },
    alt="One slice of the chest CT in the soft-tissue, the lung and the bone window.",
    window=(0, 1),
    unit="grey value",
    pixel_mm=chest.spacing_mm[1],
)

# %% [markdown]
# The lung is black in the first picture and full of vessels in the second. Nothing was lost: it
# was outside the window.

# %% [markdown]
# ## Where to go next

# %% tags=["lesson"]
show.chapters()

# %% [markdown]
# Begin with [denoising](01_restoration/01_denoising.ipynb).
#
# In a terminal, `course --help` lists what else there is: `course data` for the data sets,
# `course run` for one experiment, `course bench` and `course report` for a whole benchmark.
#
# **The survey behind the course**: Wang L, Qin Y. *State of the art and future perspectives of the
# applications of deep learning in the medical image analysis*. Big Data Research 2020,
# doi [10.11959/j.issn.2096-0271.2020056](https://doi.org/10.11959/j.issn.2096-0271.2020056).
#
# **The chest CT** is LIDC-IDRI-0001: Armato et al. 2011, Medical Physics 38(2),
# doi [10.1118/1.3528204](https://doi.org/10.1118/1.3528204), CC BY 3.0.
