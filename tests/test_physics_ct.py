"""CT physics against what is known exactly: adjoints, ellipses, photon statistics, scikit-image."""

import numpy as np
import pytest
import torch
from skimage.transform import iradon, radon

from course_lib.errors import CourseError
from course_lib.physics import ct, phantoms, system_matrix
from course_lib.physics.ct import ParallelBeam, angles
from course_lib.physics.phantoms import Ellipse

# Off-centre, tilted and stepped like a hill: smooth enough that pixels hardly matter, and different
# from each of its own mirror images and turns.
HILL = [Ellipse(0.001, (0.2, 0.3), (0.45 * k / 20, 0.25 * k / 20), 30) for k in range(1, 21)]
DISC = [Ellipse(0.02, (0.05, -0.03), (0.7, 0.7))]
DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.mps.is_available()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def relative(estimate, truth) -> float:
    estimate, truth = torch.as_tensor(estimate).cpu(), torch.as_tensor(truth).cpu()
    return float((estimate - truth).norm() / truth.norm())


# ---- the projector as a linear map


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("size", "views", "pixel_mm", "detectors"),
    [
        (32, 60, 1.0, None),
        (47, 45, 0.7, None),  # odd, and angles that share nothing
        (64, angles(180, every=7), 1.0, None),  # sparse
        (33, angles(50, arc_degrees=100), 2.5, None),  # limited
        (40, torch.tensor([-200.0, -10.0, 0.0, 45.0, 90.0, 101.3, 135.0, 270.0, 400.0]), 1.0, 31),
        (16, angles(16, arc_degrees=720), 1.0, None),  # each view twice
        (1, 1, 1.0, None),
    ],
)
def test_adjoint_is_exact(size, views, pixel_mm, detectors, device):
    beam = ParallelBeam(size, views, pixel_mm, detectors, device)
    x = torch.rand(2, 1, size, size, generator=seeded(1)).to(device)
    y = torch.rand(2, 1, len(beam.angles), beam.detectors, generator=seeded(2)).to(device)
    forward, adjoint = beam.forward(x), beam.adjoint(y)
    assert forward.dtype == adjoint.dtype == torch.float32 and forward.device == x.device
    left = (forward.double().cpu() * y.double().cpu()).sum()
    right = (x.double().cpu() * adjoint.double().cpu()).sum()
    assert abs(left - right) / abs(left) < 1e-5


def dense(linear_map, *shape) -> torch.Tensor:
    """The matrix of a linear map on images of `shape`, one column per pixel."""
    basis = torch.eye(shape[0] * shape[1]).reshape(-1, 1, *shape)
    return linear_map(basis).flatten(1).T


@pytest.mark.parametrize("views", [8, 5])  # with shared weights, and without
@pytest.mark.parametrize("name", ["forward", "adjoint", "fbp"])
def test_gradients_of_first_and_second_order(name, views):
    beam = ParallelBeam(5, views, pixel_mm=0.5)
    shape = (5, 5) if name == "forward" else (views, beam.detectors)
    matrix = dense(getattr(beam, name), *shape)
    x = torch.randn(1, 1, *shape, generator=seeded(1), requires_grad=True)
    out = getattr(beam, name)(x)
    torch.testing.assert_close(out.flatten(), matrix @ x.flatten())
    weight = torch.randn(out.shape, generator=seeded(2), requires_grad=True)
    (gradient,) = torch.autograd.grad((weight * out).sum(), x, create_graph=True)
    torch.testing.assert_close(gradient.flatten(), matrix.T @ weight.flatten())
    direction = torch.randn(x.shape, generator=seeded(3))
    (second,) = torch.autograd.grad((gradient * direction).sum(), weight)
    torch.testing.assert_close(second.flatten(), matrix @ direction.flatten())


def test_forward_is_linear_and_cases_of_a_batch_do_not_mix():
    beam = ParallelBeam(24, 12)
    x = torch.randn(19, 1, 24, 24, generator=seeded())
    together = beam(x)
    torch.testing.assert_close(together[17:18], beam(x[17:18]))
    torch.testing.assert_close(
        beam(2 * x[:1] - 3 * x[1:2]), 2 * together[:1] - 3 * together[1:2], atol=1e-4, rtol=1e-5
    )


def test_sharing_weights_between_views_changes_nothing():
    chosen = torch.cat([angles(40, arc_degrees=360), torch.tensor([-17.0, 45.0, 222.2])])
    image = torch.rand(1, 1, 21, 21, generator=seeded())
    regular, mixed = ParallelBeam(21, chosen[:40]), ParallelBeam(21, chosen)
    assert len(regular._joseph.turns) > 1 == len(mixed._joseph.turns)
    one_by_one = torch.cat([ParallelBeam(21, a[None])(image) for a in chosen], dim=2)
    torch.testing.assert_close(mixed(image), one_by_one)
    torch.testing.assert_close(regular(image), one_by_one[:, :, :40])


def test_equal_geometries_share_one_matrix_of_the_documented_size():
    beam = ParallelBeam(128, 180, pixel_mm=0.7)
    assert ParallelBeam(128, 180)._joseph is beam._joseph
    nonzeros = beam._joseph.matrix._nnz()
    assert beam._joseph.matrix.col_indices().dtype == torch.int32
    assert nonzeros == beam._joseph.transpose._nnz()
    assert nonzeros == pytest.approx(1.8 * 128**2 * 46, rel=0.02)


def test_autocast_and_half_precision_do_not_reach_the_projector():
    beam, image = ParallelBeam(16, 8), torch.rand(1, 1, 16, 16, generator=seeded())
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(beam(image), beam.forward(image), atol=0, rtol=0)
        assert beam(image.bfloat16()).dtype == torch.float32
    assert relative(beam(image.double()), beam(image)) < 1e-6


# ---- against the truth


def test_projection_of_ellipses_is_their_closed_form():
    beam = ParallelBeam(129, 60, pixel_mm=0.7)
    image, truth = phantoms.rasterise(HILL, 129), phantoms.sinogram(HILL, beam)
    assert relative(beam(image), truth) < 0.005
    # A wrong orientation would not go unnoticed.
    for wrong in (image.flip(-1), image.flip(-2), image.mT, image.rot90(1, (-2, -1))):
        assert relative(beam(wrong), truth) > 0.2
    assert relative(beam(image).flip(-1), truth) > 0.2


def test_a_point_right_of_the_centre_and_one_above_it_land_where_they_should():
    beam = ParallelBeam(21, torch.tensor([0.0, 90.0]))
    image = torch.zeros(2, 1, 21, 21)
    image[0, 0, 10, 15] = 1  # x = +5
    image[1, 0, 7, 10] = 1  # y = +3
    peak = beam(image)[:, 0].argmax(dim=-1) - (beam.detectors - 1) // 2
    assert peak.tolist() == [[5, 0], [0, 3]]


def test_ellipses_turn_counter_clockwise():
    image = phantoms.rasterise([Ellipse(1, (0, 0), (0.9, 0.1), 45)], 16)[0, 0]
    assert image[4, 11] > 0.9 and image[4, 4] == 0  # top right, top left


def test_shepp_logan_is_the_head_of_the_literature():
    head = phantoms.rasterise(phantoms.shepp_logan(), 101)[0, 0]
    assert head.max() == pytest.approx(1, abs=1e-6) and head[0].eq(0).all()
    assert head[50, 50] == pytest.approx(0.2, abs=1e-6)  # brain
    assert head[50, 61] == pytest.approx(0.0, abs=1e-6)  # right ventricle
    assert head[32, 50] == pytest.approx(0.3, abs=1e-6)  # the large tumour lies above
    # Joseph's lines blur the thin skull, so no tighter.
    beam = ParallelBeam(101, 40)
    assert relative(beam(head[None, None]), phantoms.sinogram(phantoms.shepp_logan(), beam)) < 0.04


@pytest.mark.parametrize("size", [65, 129])
def test_scikit_image_projects_and_reconstructs_the_same(size):
    views = angles(30, arc_degrees=180)
    beam = ParallelBeam(size, views)
    image = phantoms.rasterise(HILL, size)
    theirs = torch.from_numpy(radon(image[0, 0].numpy(), views.numpy(), circle=False).T.copy())
    # Theirs is one detector shorter when the diagonal is even; detector 0 is the same one.
    ours = beam(image)[0, 0, :, : theirs.shape[1]]
    assert relative(ours, theirs) < 0.01
    assert relative(ours.flip(0), theirs) > 0.2

    sinogram = phantoms.sinogram(HILL, beam)
    columns = sinogram[0, 0].numpy().T.astype(np.float64)
    for window in ct.WINDOWS:
        name = "ramp" if window == "ram-lak" else window
        theirs = iradon(columns, views.numpy(), size, name, circle=False)
        # Their Hann and Hamming windows are half a frequency step off: 2e-4.
        assert relative(beam.fbp(sinogram, window)[0, 0], theirs) < 4e-4


# ---- filtered back-projection


@pytest.mark.parametrize("window", ct.WINDOWS)
@pytest.mark.parametrize("views", [angles(90), angles(180, every=5), angles(91, arc_degrees=360)])
def test_a_disc_keeps_its_value(window, views):
    beam = ParallelBeam(96, views, pixel_mm=0.7)
    inside = phantoms.rasterise([Ellipse(1, (0.05, -0.03), (0.5, 0.5))], 96) > 0.999
    value = beam.fbp(phantoms.sinogram(DISC, beam), window)[inside]
    assert value.mean() == pytest.approx(0.02, rel=0.002)
    if len(views) > 40:  # Few views leave streaks; the mean stays.
        assert (value - 0.02).abs().max() < 0.01 * 0.02


def test_an_object_as_wide_as_the_detector_does_not_wrap_around():
    beam = ParallelBeam(64, 120, detectors=64)
    wide = phantoms.sinogram([Ellipse(0.02, (0, 0), (0.99, 0.99))], beam)
    assert (beam.fbp(wide)[0, 0, 16:48, 16:48] / 0.02 - 1).abs().max() < 0.01


def test_error_falls_as_views_rise():
    image, errors = phantoms.rasterise(phantoms.shepp_logan(), 96), []
    for views in (12, 24, 48, 96, 192):
        beam = ParallelBeam(96, views)
        errors.append(relative(beam.fbp(beam(image)), image))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.3 * errors[0]


def test_two_half_arcs_add_up_to_the_whole():
    beam = ParallelBeam(48, 60)
    sinogram = phantoms.sinogram(HILL, beam)
    halves = (sinogram[:, :, :30], beam.angles[:30]), (sinogram[:, :, 30:], beam.angles[30:])
    total = sum(ParallelBeam(48, views).fbp(part) for part, views in halves)
    torch.testing.assert_close(total, beam.fbp(sinogram), atol=1e-6, rtol=1e-4)


def test_gradients_reach_the_image_through_the_noise_free_chain():
    beam = ParallelBeam(20, 30)
    hu = torch.zeros(1, 1, 20, 20, requires_grad=True)
    clean = beam(ct.hu_to_attenuation(hu))
    scanned = ct.line_integrals(1e5 * torch.exp(-clean), 1e5)
    error = ct.attenuation_to_hu(beam.fbp(scanned)) - 10
    error.square().sum().backward()
    # The chain gives back roughly its input, so more HU are asked for: downhill is up.
    assert hu.grad[0, 0, 5:15, 5:15].mean() < 0 and hu.grad.isfinite().all()


# ---- attenuation and photons


def test_hounsfield_units_round_trip():
    hu = torch.linspace(-1024, 3071, 1000, dtype=torch.float64)
    torch.testing.assert_close(ct.attenuation_to_hu(ct.hu_to_attenuation(hu)), hu)
    assert ct.hu_to_attenuation(torch.tensor(0.0), mu_water=0.02) == pytest.approx(0.02)


@pytest.mark.parametrize(("photons", "electronic_noise"), [(1e4, 0.0), (1e5, 0.0), (1e4, 80.0)])
def test_noise_of_line_integrals_is_its_closed_form(photons, electronic_noise):
    clean = torch.full((400_000,), 1.5)
    noisy = ct.low_dose_sinogram(clean, photons, electronic_noise, seeded())
    arriving = photons * np.exp(-1.5)
    expected = 1 / arriving + electronic_noise**2 / arriving**2
    assert noisy.var() == pytest.approx(expected, rel=0.03)
    assert noisy.mean() == pytest.approx(1.5, abs=0.002)


def test_no_photon_at_all_still_gives_a_number():
    noisy = ct.low_dose_sinogram(torch.full((1000,), 12.0), 10.0, 3.0, seeded())
    assert noisy.isfinite().all() and noisy.max() == pytest.approx(np.log(10 / 0.5), rel=1e-5)


def test_the_generator_decides_the_noise():
    clean = torch.ones(2, 1, 9, 9)
    first, again, other = (ct.low_dose_sinogram(clean, 1e3, 5, seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


# ---- what people get wrong


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: ParallelBeam(8, 4)(torch.zeros(1, 1, 9, 9)), r"\(N, 1, 8, 8\).*\(1, 1, 9, 9\)"),
        (lambda: ParallelBeam(8, 4)(torch.zeros(1, 3, 8, 8)), "one image per case"),
        (lambda: ParallelBeam(8, 4).adjoint(torch.zeros(1, 1, 5, 12)), "one sinogram per case"),
        (lambda: ParallelBeam(8, 4).fbp(torch.zeros(1, 1, 5, 12)), "one sinogram per case"),
        (lambda: ParallelBeam(8, 4).fbp(torch.zeros(1, 1, 4, 12), "ramp"), "ram-lak, shepp-logan"),
        (lambda: ParallelBeam(8, 0), "0 views"),
        (lambda: ParallelBeam(8, 4, pixel_mm=0), "pixel_mm=0"),
        (lambda: system_matrix.system_matrix("joseph", 20_000, 9, (0.0, 1.0, 2.0), None), "32 GB"),
    ],
)
def test_mistakes_are_explained(mistake, message):
    with pytest.raises(CourseError, match=message):
        mistake()
