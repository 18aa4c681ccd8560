"""The course as a library: RED-CNN on tensors of your own, in twenty lines.

    python benchmarks/train_on_tensors.py

Put your own images in the place of the made-up ones. A question (`course tasks denoising` prints
its fields) says how training batches are drawn and how answers are scored; `fit` does the rest.
"""

import torch

from course_lib import catalogue
from course_lib.cases import Cases, Facts
from course_lib.fit import evaluate, fit, predict
from course_lib.tasks.base import Plan, Splits

torch.manual_seed(0)


def patient(name: str, count: int = 8, side: int = 64) -> Cases:
    """Slices (N, 1, H, W) in HU: here smooth ones and the same with noise; here go your own."""
    smooth = torch.nn.functional.avg_pool2d(torch.randn(count, 1, side, side), 9, 1, 4)
    normal = 1000 * smooth
    whole = torch.tensor([[0, 0, side, side]]).expand(count, 4)  # what is scored of each slice
    return Cases(
        {
            "low_dose": normal + 60 * torch.randn_like(normal),
            "normal_dose": normal,
            "region": whole,
        },
        case=[f"{name}/{k}" for k in range(count)],
        subject=[name] * count,  # a patient is in one part only
        group=[name] * count,
        spacing_mm=torch.full((count, 2), 0.7),
        facts=Facts(dims=2, channels=1, range=(-1000.0, 1000.0), pixel_mm=0.7),
    )


question = catalogue.question("denoising", "chest_ct")
splits = Splits(patient("training"), patient("validation"), patient("test"))
red_cnn = catalogue.build("red_cnn", width=16)
plan = Plan(steps=150, batch=8, evaluations=3)
history = fit(red_cnn, question, splits, profile="smoke", seed=0, plan=plan)
for row in history.curve:
    print(row["step"], row["losses"]["network"], row["validation"]["psnr"])
noisy = catalogue.build("noisy_input")
for name, method in {"noisy": noisy, "denoised": red_cnn}.items():
    print(f"{name}: {evaluate(method, question, splits.test)['psnr']:.1f} dB")
denoised = predict(red_cnn, splits.test)  # (N, 1, H, W) in HU
