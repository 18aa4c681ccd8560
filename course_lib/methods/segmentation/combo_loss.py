"""Combo loss: one loss for small structures and for the balance of misses and false alarms.

New in the paper: a weighted sum of cross-entropy, whose β turns errors from one kind into the
other, and of Dice, which does not mind how small a structure is.

    loss = α · mean −(β t log p + (1 − β)(1 − t) log(1 − p)) − (1 − α) · 2 Σ p t / (Σ p + Σ t)

over the foreground classes, p from a softmax. β above ½ punishes what is missed (false negatives),
β below ½ what is invented (false positives). The network is the U-Net of `unet`, (N, 1, D, H, W)
slice by slice: the loss is the method. α = 1 leaves Dice out, α = 0 cross-entropy. Shrunk: the
paper's networks are larger and 3D.

Taghanaki et al. 2019, Comput. Med. Imaging Graph. 75:24-33, doi 10.1016/j.compmedimag.2019.04.005.
The survey lists it among adversarial methods; it has no critic. The authors' public code has a sign
slip in the background term; this follows the formula.
"""

from torch import Tensor

from course_lib.errors import CourseError
from course_lib.methods.segmentation.unet import UNet
from course_lib.parts.segmentation.losses import combo_terms


class ComboLoss(UNet):
    """The U-Net trained with the combo loss.

    Arguments:
        alpha: of cross-entropy, 1 − alpha of Dice. beta: of misses, 1 − beta of false alarms.
        widths, dims: of the U-Net.
    Raises CourseError for an alpha or a beta beyond 0 … 1, and for other dims.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        widths: tuple[int, ...] = (12, 24, 48, 96),
        dims: int = 2,
    ) -> None:
        super().__init__(widths, dims=dims)
        if not (0 <= alpha <= 1 and 0 <= beta <= 1):
            raise CourseError(f"alpha and beta lie between 0 and 1, not {alpha} and {beta}.")
        self.entropy, self.overlap, self.beta = alpha, 1 - alpha, beta

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Beta-weighted cross-entropy and Dice."""
        return self.weighted(combo_terms(scores, labels, self.beta))
