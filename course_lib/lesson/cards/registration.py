"""What the cards of registration add to the methods' docstrings."""

from course_lib.lesson.cards import About

CARDS = {
    "two_channel_deep_metric": About(
        tex=r"L = \overline{\max(0,\, 1 - y\, s(\text{patch}))}, \qquad y = \pm 1",
        claim="A learnt similarity of two contrasts registers better than mutual information.",
        metric="tre_mm",
        rival="ffd_mutual_information",
        question="It was shown aligned pairs. Where do those come from in a hospital, and what "
        "does the metric inherit from them?",
    ),
    "drr_pose_regression": About(
        tex=r"\theta \leftarrow \theta + s \cdot N_g\big(I - \mathrm{DRR}(\theta)\big)",
        claim="Regressed residuals find the pose at least as well as a search.",
        metric="tre_mm",
        rival="pose_search",
        question="Depth is estimated last. Why is it the hardest to see in one X-ray?",
    ),
    "supervised_ddf_regression": About(
        tex=r"u = U(m, f), \qquad L = \overline{\|u - u_{\mathrm{label}}\|}",
        claim="A network told the right field for each pair beats one affine map.",
        metric="tre_mm",
        rival="affine",
        question="No picture stands in the loss. What does the network answer where the picture is "
        "flat and every field looks alike?",
    ),
    "voxelmorph": About(
        tex=r"L = D\big(f, m \circ (\mathrm{id} + u)\big) + \lambda\, \overline{\|\nabla u\|^2}",
        claim="One pass of a network is as good as the optimisation of each pair.",
        metric="tre_mm",
        rival="ffd_ncc",
        question="Why can a gradient pass through the warp, although a pixel is only looked up?",
    ),
    "icnet": About(
        tex=r"L = D + 0.05\,\overline{\|u - (-v) \circ (\mathrm{id} + u)\|^2} + "
        r"100\,\overline{\mathrm{ReLU}(-\partial u - 1)(\partial u)^2} + "
        r"\overline{\|\nabla u\|^2}",
        claim="Fields there and back fold less than those of one direction.",
        metric="folding_percent",
        rival="voxelmorph",
        question="A field of zero is perfectly consistent. What keeps the network from it?",
    ),
}
