"""CycleGAN with gradient consistency: edges must stay where they are.

New in the paper: CycleGAN's losses allow G to move boundaries as long as F moves them back. A term
borrowed from multimodal registration compares each real image with its own translation by the
correlation of their gradients,

    GC(a, b) = mean over axes k of NCC(∂ₖ a, ∂ₖ b)
    generators: CycleGAN's loss + w · ½ [(1 - GC(x, G(x))) + (1 - GC(y, F(y)))]

NCC is signed: an edge that is dark-to-bright in one image should be so in the other. That is not
true of bone, which is dark in MR and bright in CT; the skin's edge outweighs it. `absolute` takes
|NCC| instead and is not the paper's. With `gradient=0` this is CycleGAN exactly, the paper's
ablation.

Input and output (N, 1, H, W): source in its unit, target in its own. Shrunk: as cyclegan. The
cycle keeps CycleGAN's weight of 10, so that the term is the only difference; its weight of 1 has
the ratio of the authors' 0.3 to 3 (as it is remembered: unsure). After 30 CPU seconds it costs two
decibels on validation (20.1 of 21.9), a weight of 2 a little more (19.8), one seed each; whether
the sign is to blame, `absolute` has to show.

Hiasa et al. 2018, SASHIMI, LNCS 11037:31-41, doi 10.1007/978-3-030-00536-8_4.
"""

from torch import Tensor

from course_lib.methods.translation.cyclegan import CycleGAN
from course_lib.parts.translation.gradients import gradient_consistency


class GCCycleGAN(CycleGAN):
    """CycleGAN with `gradient` times the gradient consistency of inputs and translations; 0 leaves
    it out."""

    def __init__(
        self,
        gradient: float = 1.0,
        absolute: bool = False,
        adversarial: float = 1.0,
        cycle: float = 10.0,
        identity: float = 0.0,
        width: int = 16,
        blocks: int = 3,
    ) -> None:
        super().__init__(adversarial, cycle, identity, width, blocks)
        self.gradient, self.absolute = gradient, absolute

    def judged(self, real: dict[str, Tensor], fake: dict[str, Tensor]) -> dict[str, Tensor]:
        """CycleGAN's, and the gradients of each image against those of its translation."""
        terms = super().judged(real, fake)
        if self.gradient:
            there = gradient_consistency(real["source"], fake["target"], self.absolute)
            back = gradient_consistency(real["target"], fake["source"], self.absolute)
            terms["gradient"] = 0.5 * (there + back)
        return terms
