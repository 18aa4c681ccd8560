"""Methods that find objects, or growth over time, and what detectors that learn share."""

from course_lib.cases import Batch, Cases
from course_lib.methods.base import Method, Sample
from course_lib.parts.detection.zoom import Zoom


class Detector(Method):
    """A method that learns to find objects in images, of which every second one is stretched, moved
    and relit each time it is drawn."""

    zoom: Zoom | None = Zoom()

    def draw(self, train: Cases, sample: Sample, count: int) -> Batch:
        """A training batch; boxes move with their images."""
        batch = sample(train, count)
        return batch if self.zoom is None else self.zoom(batch, self.facts.window)
