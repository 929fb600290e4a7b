"""Kernels of rows against the same formulas written out in PyTensor: values and derivatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.tensor import TensorVariable

from oulib.model import kalman, row_kernels, sign_kernels, summed_kernel
from oulib.model.kernel_op import _KERNELS, _Summed, total

OUS, MONTHS = 7, 13


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray]:
    """Rows with gaps, surveys every fourth month by as many as a million."""
    rng = np.random.default_rng(1)
    keep = rng.random(OUS * MONTHS) > 0.2
    ou = np.repeat(np.arange(OUS), MONTHS)[keep]
    month = np.tile(np.arange(MONTHS), OUS)[keep]
    n = np.where(month % 4 == 3, rng.integers(1, 60, ou.size), 0).astype(float)
    n[np.flatnonzero(n)[0]] = 1e6
    return {
        "ou": ou,
        "month": month,
        "n": n,
        "x": np.where(n > 0, rng.normal(size=ou.size), 0.0),
    }


@pytest.fixture(scope="module")
def values(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    rng, size = np.random.default_rng(2), rows["ou"].size
    by_ou = {name: rng.normal(size=OUS) for name in ("a", "b", "mu")}
    by_month = {name: rng.normal(size=MONTHS) for name in ("lam", "shift")}
    scalars = {"sigma_x": 0.7, "sigma_meas": 1.9, "sigma_y": 0.4, "phi": 0.83, "sigma_u": 0.3}
    return {
        "y": rng.normal(size=size),
        "sd_x": np.exp(rng.normal(size=size)),
        "factor": np.exp(0.5 * rng.normal(size=OUS)),
        **by_ou,
        **by_month,
        **{name: np.array(value) for name, value in scalars.items()},
        "sd": np.array([0.7, 0.4]),
        "corr": np.array(-0.3),
    }


def compare(
    kernel: Callable[..., TensorVariable],
    plain: Callable[..., TensorVariable],
    values: dict[str, np.ndarray],
    names: tuple[str, ...],
) -> None:
    """Values and all derivatives, for equal weights of the rows and for any, to 1e-8."""
    tensors = {n: pt.tensor(n, dtype="float64", shape=(None,) * values[n].ndim) for n in names}
    given = list(tensors.values())
    one, two = kernel(**tensors), plain(**tensors)
    weight = pt.dvector("weight")
    outputs = [one, two]
    for out in (one, two):
        outputs += pt.grad((out * weight).sum(), given, disconnected_inputs="ignore")
    function = pytensor.function([*given, weight], outputs, mode="FAST_COMPILE")
    place = [tensors[name] for name in names]
    size = pytensor.function(place, one.shape[0], mode="FAST_COMPILE", on_unused_input="ignore")(
        *(values[name] for name in names)
    )
    for weights in (np.ones(size), np.random.default_rng(3).normal(size=size)):
        found, expected, *slopes = function(*(values[n] for n in names), weights)
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-11)
        half = len(slopes) // 2
        for name, mine, theirs in zip(names, slopes[:half], slopes[half:], strict=True):
            scale = np.abs(theirs).max()
            np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-9 * scale, err_msg=name)


def compare_sums(
    kernel: Callable[..., TensorVariable],
    plain: Callable[..., TensorVariable],
    values: dict[str, np.ndarray],
    names: tuple[str, ...],
) -> None:
    """The sum of a kernel's rows in one pass, and three times its derivatives, to 1e-8."""
    tensors = {n: pt.tensor(n, dtype="float64", shape=(None,) * values[n].ndim) for n in names}
    one, two = total(kernel(**tensors)), plain(**tensors).sum()
    assert isinstance(one.owner.op, _Summed)
    outputs = [one, two]
    for out in (one, two):
        outputs += pt.grad(3 * out, list(tensors.values()))
    function = pytensor.function(list(tensors.values()), outputs, mode="FAST_COMPILE")
    found, expected, *slopes = function(*(values[n] for n in names))
    assert found == pytest.approx(expected, rel=1e-10)
    half = len(slopes) // 2
    for name, mine, theirs in zip(names, slopes[:half], slopes[half:], strict=True):
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-9 * scale, err_msg=name)


def given_survey(rows: dict, within: bool, mu, shift, sigma_x, sigma_meas) -> tuple:
    expected = mu[rows["ou"]] + shift[rows["month"]]
    noise = sigma_meas**2 + 1e-100
    total = noise + sigma_x**2 * rows["n"]
    mean = expected + sigma_x**2 * rows["n"] / total * (rows["x"] - expected)
    return mean - (expected if within else 0.0), sigma_x**2 * (noise / total)


def normal_logp(r: TensorVariable, v: TensorVariable) -> TensorVariable:
    return -0.5 * (np.log(2 * np.pi) + pt.log(v) + r**2 / v)


def places(rows: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    return tuple(rows[name] for name in ("ou", "month", "n", "x"))


@pytest.mark.parametrize("within", [False, True])
def test_normal_outcomes(rows: dict, values: dict, within: bool) -> None:
    names = ("y", "a", "b", "lam", "mu", "shift", "factor", "sigma_x", "sigma_meas", "sigma_y")

    def kernel(y, **p) -> TensorVariable:
        return row_kernels.normal(y, *places(rows), *p.values(), np.array(within))

    def plain(y, a, b, lam, mu, shift, factor, sigma_x, sigma_meas, sigma_y) -> TensorVariable:
        m, v = given_survey(rows, within, mu, shift, sigma_x, sigma_meas)
        slope = b[rows["ou"]]
        left = y - a[rows["ou"]] - lam[rows["month"]] - slope * m
        return normal_logp(left, (factor[rows["ou"]] * sigma_y) ** 2 + slope**2 * v)

    compare(kernel, plain, values, names)


@pytest.mark.parametrize("whole", [False, True])
def test_normal_outcomes_by_ou(rows: dict, values: dict, whole: bool) -> None:
    """With gaps between the months of an OU, and without; counts of all sizes."""
    if whole:
        size = OUS * MONTHS
        n = np.where(np.arange(size) % 3 == 1, 1e-3 + 7.0 * (np.arange(size) % 5), 0.0)
        rows = {
            "ou": np.repeat(np.arange(OUS), MONTHS), "month": np.tile(np.arange(MONTHS), OUS),
            "n": n, "x": np.where(n > 0, 0.3, 0.0),
        }  # fmt: skip
    y = np.random.default_rng(4).normal(size=rows["ou"].size)
    names = ("y", "a", "b", "lam", "mu", "shift", "factor", "sigma_x", "sigma_meas", "sigma_y")

    def kernel(y, **p) -> TensorVariable:
        return row_kernels.normal_by_ou(y, *places(rows), *p.values(), np.array(whole))

    def plain(y, a, b, lam, mu, shift, factor, sigma_x, sigma_meas, sigma_y) -> TensorVariable:
        m, v = given_survey(rows, whole, mu, shift, sigma_x, sigma_meas)
        slope = b[rows["ou"]]
        left = y - a[rows["ou"]] - lam[rows["month"]] - slope * m
        found = normal_logp(left, (factor[rows["ou"]] * sigma_y) ** 2 + slope**2 * v)
        return sign_kernels.by_ou(found, rows["ou"], a)

    compare(kernel, plain, {**values, "y": y}, names)


def test_sums_by_ou_and_ous_without_weight(rows: dict, values: dict) -> None:
    """Against NumPy's own; derivatives of an OU without weight are 0 and those of others stay."""
    sizes = sign_kernels._by_ou(values["y"], rows["ou"], values["a"])
    np.testing.assert_allclose(sizes, np.bincount(rows["ou"], values["y"], OUS), rtol=1e-12)
    given = [values["y"], *places(rows), *(values[name] for name in ("a", "b", "lam", "mu"))]
    given += [values[name] for name in ("shift", "factor", "sigma_x", "sigma_meas", "sigma_y")]
    back = row_kernels.normal_by_ou.backward
    whole, part = np.ones(OUS), np.ones(OUS)
    part[2] = 0.0
    g_y, g_a, *_ = back(*given, np.array(False), whole)
    h_y, h_a, *_ = back(*given, np.array(False), part)
    left_out = rows["ou"] == 2
    assert not h_y[left_out].any()
    assert h_a[2] == 0.0
    np.testing.assert_array_equal(h_y[~left_out], g_y[~left_out])
    np.testing.assert_array_equal(np.delete(h_a, 2), np.delete(g_a, 2))


def test_many_variances_multiplied_stay_in_range() -> None:
    """Logarithms are taken of products; thousands of variances, tiny ones and huge ones."""
    rng, size = np.random.default_rng(0), 5000
    for scale in (1e-6, 1.0, 1e6, 1e80, 1e-80):
        n = np.exp(rng.normal(size=size))
        given = (np.zeros(size), np.zeros(size), n, np.zeros(size), np.zeros(1), np.zeros(1))
        found = total(row_kernels.surveys(*given, *map(np.array, (scale * 0.5, scale)))).eval()
        v = scale**2 * (0.25 + 1 / np.maximum(n, 1))
        assert found == pytest.approx(-0.5 * (np.log(2 * np.pi) + np.log(v)).sum(), rel=1e-12)


def test_a_sum_that_no_kernel_knows_is_a_sum() -> None:
    vector = pt.dvector()
    assert total(vector).eval({vector: [1.0, 2.5]}) == 3.5
    assert total(2 * vector).eval({vector: [1.0, 2.5]}) == 7.0


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("part", [0, 1])
def test_scores(rows: dict, values: dict, within: bool, part: int) -> None:
    def kernel(mu, shift, sigma_x, sigma_meas) -> TensorVariable:
        found = row_kernels.scores.pair(
            *places(rows), mu, shift, sigma_x, sigma_meas, np.array(within)
        )
        return found[part]

    def plain(mu, shift, sigma_x, sigma_meas) -> TensorVariable:
        mean, var = given_survey(rows, within, mu, shift, sigma_x, sigma_meas)
        return (mean, pt.sqrt(var))[part]

    compare(kernel, plain, values, ("mu", "shift", "sigma_x", "sigma_meas"))


@pytest.mark.parametrize("part", [0, 1])
def test_lines(rows: dict, values: dict, part: int) -> None:
    ou, month = rows["ou"], rows["month"]

    def kernel(y, sd_x, a, b, lam) -> TensorVariable:
        return row_kernels.lines.pair(ou, month, y, sd_x, a, b, lam)[part]

    def plain(y, sd_x, a, b, lam) -> TensorVariable:
        return (a[ou] + lam[month] + b[ou] * y, b[ou] * sd_x)[part]

    compare(kernel, plain, values, ("y", "sd_x", "a", "b", "lam"))


def test_surveys(rows: dict, values: dict) -> None:
    seen = np.flatnonzero(rows["n"])
    ou, month, n, x = (rows[name][seen] for name in ("ou", "month", "n", "x"))

    def kernel(mu, shift, sigma_x, sigma_meas) -> TensorVariable:
        return row_kernels.surveys(ou, month, n, x, mu, shift, sigma_x, sigma_meas)

    def plain(mu, shift, sigma_x, sigma_meas) -> TensorVariable:
        return normal_logp(x - mu[ou] - shift[month], sigma_x**2 + sigma_meas**2 / n)

    short = {**values, "y": values["y"][seen]}
    compare(kernel, plain, short, ("mu", "shift", "sigma_x", "sigma_meas"))
    compare_sums(kernel, plain, short, ("mu", "shift", "sigma_x", "sigma_meas"))


def test_paths(values: dict) -> None:
    """Against the inverse of the matrix that takes a path to its innovations."""

    def plain(lam, shift) -> TensorVariable:
        back = pt.eye(MONTHS) - pt.set_subtensor(
            pt.zeros((MONTHS, MONTHS))[np.arange(1, MONTHS), np.arange(MONTHS - 1)], shift[1:]
        )
        return pt.linalg.inv(back) @ lam

    one = {**values, "y": values["lam"]}
    compare(lambda lam, shift: row_kernels.accumulate(lam, shift), plain, one, ("lam", "shift"))


@pytest.mark.parametrize("gaps", [False, True])
def test_deviations_with_effects_summed_out(values: dict, rows: dict, gaps: bool) -> None:
    """Against the filter of whole columns, and cumulative sums of its moments."""
    if gaps:
        ou, month = rows["ou"], rows["month"]
    else:
        ou, month = np.repeat(np.arange(OUS), MONTHS), np.tile(np.arange(MONTHS), OUS)
    rng = np.random.default_rng(5)
    first = np.concatenate([[True], ou[1:] != ou[:-1]])
    gap = np.where(first, 1.0, np.concatenate([[1.0], np.diff(month)]))
    start = np.flatnonzero(first)[np.cumsum(first) - 1]
    slot, before, since = summed_kernel.slots(first, gap)
    assert (before.size == MONTHS) != gaps
    x = np.where(month % 4 == 3, rng.normal(size=ou.size), 0.0)
    own = {**values, "y": rng.normal(size=ou.size), "x": x}
    names = ("y", "x", "a", "b", "lam", "factor", "phi", "sigma_u", "sigma_y", "sd", "corr")

    def kernel(y, x, **p) -> TensorVariable:
        return summed_kernel.summed(y, ou, month, slot, x, before, since, *p.values())

    def plain(y, x, a, b, lam, factor, phi, sigma_u, sigma_y, sd, corr) -> TensorVariable:
        f = factor[ou]
        left = y - a[ou] - lam[month] - b[ou] * x
        columns = pt.stack([left / f, 1 / f, x / f], axis=1)
        noise = pt.ones_like(y) * sigma_y**2
        out, log_f = kalman.whiten(columns, first, gap, phi, sigma_u**2, noise)
        total = log_marginal(out, start, sd, corr)
        earlier = pt.concatenate([[0.0], total[:-1]])
        constant = -0.5 * (np.log(2 * np.pi) + log_f) - pt.log(f)
        return constant + total - pt.switch(first, 0.0, earlier)

    compare(kernel, plain, own, names)
    compare_sums(kernel, plain, own, names)


def log_marginal(out, start, sd, corr) -> TensorVariable:
    """Log density of an OU's whitened rows so far, its two effects summed out, by matrices."""
    e, columns = out[:, 0], out[:, 1:]

    def so_far(steps: TensorVariable) -> TensorVariable:
        total = pt.cumsum(steps, axis=0)
        return total - (total[start] - steps[start])

    a = so_far(columns[:, :, None] * columns[:, None, :])
    b = so_far(columns * e[:, None])
    root = pt.stack(
        [pt.stack([sd[0], 0.0]), pt.stack([corr * sd[1], pt.sqrt(1 - corr**2) * sd[1]])]
    )
    c = root @ root.T
    inner = pt.eye(2) + a @ c
    det = inner[:, 0, 0] * inner[:, 1, 1] - inner[:, 0, 1] * inner[:, 1, 0]
    flip = pt.stack(
        [
            pt.stack([inner[:, 1, 1], -inner[:, 0, 1]], axis=1),
            pt.stack([-inner[:, 1, 0], inner[:, 0, 0]], axis=1),
        ],
        axis=1,
    )
    solved = (flip * b[:, None, :]).sum(axis=2) / det[:, None]
    square = (solved[:, :, None] * c * b[:, None, :]).sum(axis=(1, 2))
    return -0.5 * (so_far(e**2) - square + pt.log(det))


def test_the_key_of_a_kernel_is_its_code() -> None:
    codes = {name: kernel.code for name, kernel in _KERNELS.items()}
    assert codes["normal"] == codes["scores"] != codes["summed"]


def test_an_input_of_another_rank_is_refused() -> None:
    with pytest.raises(TypeError, match="rank"):
        row_kernels.accumulate(pt.dmatrix(), pt.dvector())
