"""Scanner knobs before a network that stays as it is: its answer, and where it looks."""

import torch

from course_lib.cases import Batch
from course_lib.lesson.live import Explorer
from course_lib.lesson.picture import BLUE, ORANGE, PIXELS, Picture, canvas
from course_lib.methods.base import Method
from course_lib.physics.ct_site import Knobs, rescan


def rescan_explorer(method: Method, batch: Batch) -> Explorer:
    """Sliders for noise, blur, sharpening and brightness over some cases, and a fixed method's
    answers to them: where it sees a nodule in the first case, and its probability in all.

    Arguments:
        method: trained; gives `probability` (N, 2) and `map` (N, 1, H, W).
        batch: `image` (N, 1, H, W) HU, `mask`, `label`, …; the first case has a nodule.
    """
    import ipywidgets

    method.eval()
    black, white = method.facts.window
    outline, label = batch["mask"][0, 0], batch["label"]
    figure, (left, middle, right) = canvas(3, width=10.5, height=3.4)
    shown = left.imshow(batch["image"][0, 0], **PIXELS, cmap="gray", vmin=black, vmax=white)
    figure.colorbar(shown, ax=left, label="HU", location="bottom", shrink=0.8)
    heat = middle.imshow(
        torch.zeros_like(batch["image"][0, 0]), **PIXELS, cmap="cividis", vmin=0, vmax=1
    )
    figure.colorbar(heat, ax=middle, label="probability of a pixel", location="bottom", shrink=0.8)
    for axis in (left, middle):
        axis.contour(outline.float(), levels=[0.5], colors=[ORANGE], linewidths=1)
        axis.set(xticks=[], yticks=[])
    middle.set_title("where the network sees it")
    place = torch.where(label == 1, 1.0, 0.0) + torch.linspace(-0.25, 0.25, len(label))
    (dots,) = right.plot(place, torch.zeros(len(label)), "o", color=BLUE, markersize=4)
    right.axhline(0.5, color="gray", linewidth=0.8)
    right.set(ylim=(-0.03, 1.03), xlim=(-0.5, 1.5), ylabel="probability of a nodule")
    right.set_xticks([0, 1], ["no nodule", "nodule"])

    def draw(noise: float, blur: float, sharpen: float, offset: float) -> Picture:
        knobs = Knobs(blur=blur, sharpen=sharpen, noise=noise, offset=offset)
        image = rescan(batch["image"], knobs, torch.Generator().manual_seed(0))
        with torch.no_grad():
            answer = method.predict({**batch, "image": image})
        probability = answer["probability"][:, 1]
        right_ones = int(((probability > 0.5) == (label == 1)).sum())
        shown.set_data(image[0, 0])
        heat.set_data(answer["map"][0, 0])
        dots.set_ydata(probability)
        left.set_title(f"nodule (outlined): {float(probability[0]):.0%} certain")
        right.set_title(f"{right_ones} of {len(label)} right")
        return Picture(
            figure,
            f"A nodule in lung as the scanner shows it, with noise of {noise:.0f} HU, blur of "
            f"{blur:.1f} pixels, sharpening {sharpen:.1f} and an offset of {offset:.0f} HU; the "
            f"pixels that a fixed network takes for a nodule; its probability is "
            f"{float(probability[0]):.2f}. Of {len(label)} cases it gets {right_ones} right.",
        )

    def slider(name: str, high: float, step: float) -> ipywidgets.FloatSlider:
        return ipywidgets.FloatSlider(
            0,
            min=0,
            max=high,
            step=step,
            description=name,
            continuous_update=False,
            style={"description_width": "110px"},
            layout=ipywidgets.Layout(width="480px"),
        )

    controls = {
        "noise": slider("noise (HU)", 250, 10),
        "blur": slider("blur (pixels)", 3, 0.2),
        "sharpen": slider("sharpening", 2, 0.2),
        "offset": slider("brightness (HU)", 400, 20),
    }
    return Explorer(controls, draw)
