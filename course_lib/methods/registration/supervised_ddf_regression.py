"""Supervised regression of the displacement field: the network imitates given fields.

The survey's scheme of section 3.1 (its figure 3) in its plain form: a U-Net sees moving and fixed
image and is told, voxel by voxel, which displacement to answer.

    u = U(moving, fixed),   loss = mean ‖u - u_label‖

The images appear in no loss, so nothing corrects a wrong label. Where labels come from is an
option, and the point of the method:

    exact         the simulated field itself
    noisy         the same plus smooth noise of 1.5 voxels, drawn once for every pair
    demons        what demons find
    demons_few    the same stopped after two iterations

Without a choice they are exact where the true field is known, and from demons between people.

Direction: u lives on the fixed image's grid and points into the moving one, warped(x) =
moving(x + u(x)), in voxels, first axis first. Pairs (N, 1, *spatial) → fields (N, d, *spatial).
Labels are what is left after the pair's affine map, from which all methods start. Training pairs
are seen through random affine maps and mirrored, their labels with them. Shrunk: the U-Net is that
of `voxelmorph`, so that both can be compared.

Wang & Qin 2020, section 3.1, doi 10.11959/j.issn.2096-0271.2020056.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from course_lib.cases import Batch, Cases, Facts
from course_lib.errors import CourseError
from course_lib.methods.base import Method, Sample
from course_lib.methods.registration.demons import Demons
from course_lib.parts.registration import affine
from course_lib.parts.registration.augment import varied_with
from course_lib.parts.registration.fields import images
from course_lib.parts.registration.unet import RegistrationUNet
from course_lib.physics import fields

SOURCES = ("exact", "noisy", "demons", "demons_few")
NOISE_VOXELS, NOISE_SMOOTHNESS = 1.5, 3.0


class SupervisedDDFRegression(Method):
    """`labels`: one of SOURCES; by default the best that the data set has."""

    learning_rate = 4e-3  # chosen on validation, against 1e-3
    batch = 4
    warm_up = 50
    clip = 1.0

    def __init__(self, labels: str | None = None) -> None:
        super().__init__()
        if labels not in (None, *SOURCES):
            raise CourseError(
                f"Label fields come from one of {', '.join(SOURCES)}, not {labels!r}."
            )
        self.labels = labels

    def build(self, facts: Facts) -> None:
        """The U-Net, for slices or volumes. No pair has a label field yet."""
        self.network = RegistrationUNet(facts.dims)
        self.fields = torch.empty(0)

    def begin(self, stage: str, train: Cases) -> None:
        """Makes the label fields of all training pairs, once: what they leave to be found after
        the pairs' affine maps."""
        labels = self.label_fields(train.tensors)
        self.fields = affine.after(affine.back(train["start"]), labels)

    def label_fields(self, batch: Batch) -> Tensor:
        """The source's fields for some pairs, (N, d, *spatial) in voxels.

        Raises CourseError when the source is the truth and the data set has none.
        """
        known = "displacement" in batch
        labels = self.labels or ("exact" if known else "demons")
        if labels.startswith("demons"):
            source = Demons()
            source.iterations = 2 if labels == "demons_few" else source.iterations
            return affine.after(batch["start"], source.register(*images(batch)))
        if not known:
            raise CourseError(
                f"Labels that are {labels!r} need the true field, and between two people "
                "nobody knows it. Use a data set of known fields, or --option labels=demons."
            )
        truth = batch["displacement"]
        if labels == "exact":
            return truth
        noise = fields.random_velocity(
            truth.shape[2:],
            len(truth),
            NOISE_SMOOTHNESS,
            NOISE_VOXELS,
            torch.Generator().manual_seed(0),
        )
        return truth + noise.to(truth.device)

    def draw(self, train: Cases, sample: Sample, count: int) -> Batch:
        """Random pairs with their label fields, each seen through an affine map of its own."""
        batch = sample(train, count)
        fixed, moved, wanted = varied_with(*images(batch), self.fields[batch["number"]])
        return {"fixed": fixed, "moved": moved, "wanted": wanted}

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The mean distance to the label field, in voxels."""
        fixed, moved = images(batch)
        error = self.network(moved, fixed) - batch["wanted"]
        yield "network", (error.square().sum(1) + 1e-6).sqrt().mean()

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Two passes: there, and with exchanged parts back."""
        return affine.both_ways(lambda fixed, moved: self.network(moved, fixed), batch)
