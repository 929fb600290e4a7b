"""The densities and the priors of every form of the baseline, against plain numpy."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import reference_densities
from conftest import frame_of
from pymc.distributions.transforms import CholeskyCorrTransform
from scipy.special import logsumexp
from scipy.stats import halfnorm, kstest, norm

from oulib import BASELINE, ModelSpec, Panel, build_model
from oulib.model.groups import _CholeskyCorr
from oulib.model.survey import centring

PUBLIC = (
    *("mu_alpha", "mu_beta", "sigma_ou", "corr_ou", "alpha", "beta", "lam", "tau"),
    *("mu_x", "sigma_mu_x", "mu_x_ou", "sigma_x", "sigma_meas", "sigma_y"),
)
FORMS = {
    f"{latent}-{geometry}": BASELINE.but(latent=latent, geometry=geometry)
    for latent in ("integrated", "explicit", "explicit_informed")
    for geometry in ("level", "noncentred")
}


@dataclass
class Form:
    """One form of the model, with what the tests ask of it, each compiled once."""

    spec: ModelSpec
    panel: Panel
    model: pm.Model = field(init=False)

    def __post_init__(self):
        self.model = model = build_model(self.panel, self.spec)
        names = PUBLIC + (("x_star",) if self.spec.latent != "integrated" else ())
        outputs = model.replace_rvs_by_values([model[name] for name in names])
        values = model.compile_fn(outputs, inputs=model.value_vars)
        self.theta = lambda point: dict(zip(names, values(point), strict=True))
        self.logp = model.compile_logp()
        self.nodes = model.compile_logp(vars=[model["survey"], model["productivity"]], sum=False)
        start = model.initial_point()
        self.shapes = {name: np.shape(value) for name, value in start.items()}

    def point(self, rng, scale=0.7, **fixed):
        """Random values of the sampler's coordinates; some of them may be fixed."""
        point = {k: np.asarray(scale * rng.normal(size=n)) for k, n in self.shapes.items()}
        for name, value in fixed.items():
            if name in point:
                point[name] = np.broadcast_to(np.asarray(value, float), self.shapes[name]).copy()
        return point


@pytest.fixture(scope="module")
def forms(awkward):
    cache = {}

    def get(name):
        if name not in cache:
            cache[name] = Form(FORMS[name], awkward)
        return cache[name]

    return get


EXTREMES = {
    "typical": {},
    "tiny measurement noise": {"signed_sigma_meas": 1e-4, "sigma_meas_log__": np.log(1e-4)},
    "hardly any measurement noise": {"signed_sigma_meas": -1e-6, "sigma_meas_log__": np.log(1e-6)},
    "huge measurement noise": {"signed_sigma_meas": -300.0, "sigma_meas_log__": np.log(300)},
    "no slope": {"mu_beta": 0.0, "sigma_ou_log__": [0.0, -40.0]},
    "steep slopes": {"mu_beta": 60.0, "sigma_ou_log__": [0.0, 2.0]},
    "steep falling slopes": {"mu_beta": -500.0},
    "latent score nearly constant": {"sigma_x_log__": np.log(1e-4)},
    "latent score all over": {"sigma_x_log__": np.log(200.0)},
    "outcome nearly certain": {"sigma_y_log__": np.log(1e-3)},
    "outcome all noise": {"sigma_y_log__": np.log(100.0)},
    "everything small": {
        "sigma_y_log__": -5.0,
        "sigma_x_log__": -5.0,
        "signed_sigma_meas": 1e-3,
        "sigma_mu_x_log__": -6.0,
    },
    "effects almost collinear": {"chol_corr_ou_choleskycorr__": 50.0},
    "effects almost collinear, falling": {"chol_corr_ou_choleskycorr__": -50.0},
}


def test_the_brute_force_integral_is_itself_right(awkward):
    """It knows two integrals that need no model: beta = 0, and a flat pair of normals."""
    rows = awkward.rows
    theta = {
        "alpha": np.zeros(3),
        "beta": np.zeros(3),
        "lam": np.zeros(8),
        "tau": np.zeros(8),
        "mu_x_ou": np.array([0.3, -0.2, 0.1]),
        "sigma_x": 0.8,
        "sigma_meas": 1.5,
        "sigma_y": 0.4,
    }
    survey, outcome = reference_densities.row_densities(theta, rows)
    np.testing.assert_allclose(outcome, norm.logpdf(rows["y"], 0, 0.4), rtol=0, atol=1e-9)
    # Two respondents or none: a sum of two independent normals, three and 0 respondents by hand.
    seen = rows["observed"].to_numpy()
    n, x = rows["respondents"].to_numpy()[seen], rows["x"].to_numpy()[seen]
    assert n.tolist() == [1, 3, 1_000_000, 0, 20]
    mean = np.array([-0.2, -0.2, -0.2, 0.1, 0.1])
    sd = [np.sqrt(0.64 + 2.25 / k) for k in (1, 3, 1e6, 1, 20)]
    np.testing.assert_allclose(survey, norm.logpdf(x, mean, sd), rtol=0, atol=1e-9)


@pytest.mark.parametrize("geometry", ["level", "noncentred"])
@pytest.mark.parametrize("case", EXTREMES)
def test_rows_of_the_integrated_model_are_the_integrals(forms, awkward, geometry, case):
    form = forms(f"integrated-{geometry}")
    rng = np.random.default_rng(len(case))
    for _ in range(3):
        point = form.point(rng, **EXTREMES[case])
        survey, outcome = form.nodes(point)
        by_survey, by_outcome = reference_densities.row_densities(form.theta(point), awkward.rows)
        np.testing.assert_allclose(survey, by_survey, rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(outcome, by_outcome, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("name", FORMS)
def test_joint_density_is_the_specifications_in_every_coordinate_system(forms, awkward, name):
    """log p(raw) = log p(public parameters, data) + log |Jacobian|, constants and all.

    The Jacobian of the map from the sampler's coordinates to the public names is taken
    numerically, so nothing is assumed about which coordinates they are.
    """
    form = forms(name)
    rng = np.random.default_rng(5)
    # |sigma_meas| is reached from either sign, and the density of either branch is half.
    folds = np.log(2) if "signed_sigma_meas" in form.shapes else 0.0
    for _ in range(4):
        point = form.point(rng, scale=0.5)
        theta = form.theta(point)
        expected = (
            reference_densities.log_joint(theta, awkward.rows) + log_jacobian(form, point) - folds
        )
        np.testing.assert_allclose(form.logp(point), expected, rtol=0, atol=2e-4)


def log_jacobian(form, point):
    """log |det d(public) / d(raw)| by central differences."""
    names = list(form.shapes)
    raw = np.concatenate([np.ravel(point[name]) for name in names])
    cuts = np.cumsum([point[name].size for name in names])[:-1]

    def public(vector):
        parts = zip(names, np.split(vector, cuts), strict=True)
        return reference_densities.flat(
            form.theta({k: v.reshape(form.shapes[k]) for k, v in parts})
        )

    step = 1e-5
    columns = [(public(raw + e) - public(raw - e)) / (2 * step) for e in step * np.eye(len(raw))]
    sign, log_det = np.linalg.slogdet(np.array(columns))
    assert sign != 0
    return log_det


@pytest.mark.parametrize("geometry", ["level", "noncentred"])
def test_explicit_form_integrates_to_the_integrated_one(forms, geometry):
    """As written: sum over x* of prior, survey and outcome gives p(x') p(y | x'), row by row."""
    explicit, integrated = forms(f"explicit-{geometry}"), forms(f"integrated-{geometry}")
    model = explicit.model
    nodes = model.compile_logp(
        vars=[model["x_star"], model["survey"], model["productivity"]], sum=False
    )
    rng = np.random.default_rng(8)
    for sigma_meas in (0.6, 2.5):
        point = explicit.point(rng, sigma_meas_log__=np.log(sigma_meas))
        seen = explicit.panel.survey_rows
        grid = np.linspace(-12, 12, 1001)
        total = []
        for x in grid:
            prior, survey, outcome = nodes(
                point | {"x_star": np.full(explicit.shapes["x_star"], x)}
            )
            row = prior + outcome
            row[seen] += survey
            total.append(row)
        total = logsumexp(total, axis=0) + np.log(grid[1] - grid[0])
        same = {k: v for k, v in point.items() if k in integrated.shapes}
        survey, outcome = integrated.nodes(same | {"signed_sigma_meas": np.array(-sigma_meas)})
        outcome[seen] += survey
        narrow = explicit.panel.rows["respondents"].to_numpy() > 1000  # a spike between the nodes
        np.testing.assert_allclose(total[~narrow], outcome[~narrow], rtol=0, atol=1e-6)


@pytest.mark.parametrize("geometry", ["level", "noncentred"])
def test_informed_form_integrates_to_the_integrated_one(forms, geometry):
    """Its own survey node is the integrated one, and z_x integrates out of the outcome."""
    informed, integrated = forms(f"explicit_informed-{geometry}"), forms(f"integrated-{geometry}")
    point = informed.point(np.random.default_rng(9))
    same = {k: v for k, v in point.items() if k in integrated.shapes}
    survey, outcome = integrated.nodes(same)
    grid = np.linspace(-9, 9, 1801)
    at = [informed.nodes(point | {"z_x": np.full(informed.shapes["z_x"], z)}) for z in grid]
    weights = norm.logpdf(grid)[:, None] + np.log(grid[1] - grid[0])
    summed = logsumexp(np.array([node[1] for node in at]) + weights, axis=0)
    np.testing.assert_allclose(summed, outcome, rtol=0, atol=1e-6)
    np.testing.assert_allclose(at[0][0], survey, rtol=0, atol=1e-12)


def test_effects_of_the_written_form_are_z_times_the_transposed_factor(forms):
    form = forms("integrated-noncentred")
    point = form.point(np.random.default_rng(2), chol_corr_ou_choleskycorr__=1.3)
    theta = form.theta(point)
    covariance = np.outer(theta["sigma_ou"], theta["sigma_ou"]) * theta["corr_ou"]
    factor = np.linalg.cholesky(covariance)
    mean = [theta["mu_alpha"], theta["mu_beta"]]
    right, wrong = mean + point["z_ou"] @ factor.T, mean + point["z_ou"] @ factor
    built = np.column_stack([theta["alpha"], theta["beta"]])
    np.testing.assert_allclose(built, right, rtol=0, atol=1e-12)
    assert np.abs(built - wrong).max() > 0.05


def test_rows_need_the_transposed_factor():
    factor = np.array([[1.5, 0.0], [0.8, 0.4]])
    z = np.random.default_rng(0).standard_normal((200_000, 2))
    np.testing.assert_allclose(np.cov((z @ factor.T).T), factor @ factor.T, atol=0.02)
    assert np.abs(np.cov((z @ factor).T) - factor @ factor.T).max() > 0.5


@pytest.mark.parametrize("geometry", ["level", "noncentred"])
def test_prior_of_the_effects_under_fixed_hyperparameters(awkward, geometry):
    """Drawn, not derived: moments of alpha and beta, and their independence of mu_x_ou."""
    model = build_model(awkward, BASELINE.but(geometry=geometry))
    correlation = -0.6
    factor = np.array([[1, 0], [correlation, np.sqrt(1 - correlation**2)]])
    fixed = {
        "mu_alpha": 0.7,
        "mu_beta": -0.4,
        "sigma_ou": np.array([1.5, 0.5]),
        "chol_corr_ou": factor,
        "mu_x": 2.0,
        "sigma_mu_x": 0.8,
    }
    given = pm.do(model, fixed)
    names = ["alpha", "beta", "mu_x_ou", "corr_ou"]
    draws = pm.draw([given[n] for n in names], 8000, random_seed=1)
    alpha, beta, mu_x_ou, corr = draws
    np.testing.assert_allclose(corr[0], [[1, correlation], [correlation, 1]], atol=1e-12)
    expected = [0.7, -0.4, 2.0]
    covariance = np.diag([1.5**2, 0.5**2, 0.8**2])
    covariance[0, 1] = covariance[1, 0] = correlation * 1.5 * 0.5
    for g in range(len(awkward.ous)):  # each OU has its own degree of centring
        joint = np.array([alpha[:, g], beta[:, g], mu_x_ou[:, g]])
        np.testing.assert_allclose(joint.mean(axis=1), expected, atol=0.07)
        np.testing.assert_allclose(np.cov(joint), covariance, atol=0.15)
        assert kstest((mu_x_ou[:, g] - 2.0) / 0.8, "norm").pvalue > 1e-4
        assert kstest((alpha[:, g] - 0.7) / 1.5, "norm").pvalue > 1e-4
    assert np.abs(np.corrcoef(alpha.T) - np.eye(3)).max() < 0.05


@pytest.mark.parametrize("z", [[0.0], [1.3], [50.0], [0.4, -1.2, 3.0], [0.0, 7.0, -0.1]])
def test_the_written_out_factor_is_pymcs(z):
    """The same matrix, and the same derivatives, for two effects and for three."""
    n = {1: 2, 3: 3}[len(z)]

    def found(transform):
        value = pt.vector("value")
        factor = transform.backward(value)
        slopes = pt.jacobian(factor.ravel(), value)
        return pytensor.function([value], [factor, slopes])(np.array(z))

    own, theirs = found(_CholeskyCorr(n)), found(CholeskyCorrTransform(n))
    for ours, expected in zip(own, theirs, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-15)


def test_centring_differs_between_ous(awkward):
    """Otherwise the tests above would see one coordinate system of mu_x_ou only."""
    share = centring(awkward)
    assert share[0] == 0
    assert np.all((share >= 0) & (share <= 1))
    assert share[1] > 0


@pytest.mark.parametrize("name", FORMS)
def test_prior_of_the_hyperparameters(awkward, name):
    model = build_model(awkward, FORMS[name])
    laws = {
        "mu_alpha": norm(0, 1),
        "mu_beta": norm(0, 0.5),
        "sigma_ou": halfnorm(scale=1),
        "mu_x": norm(0, 1),
        "sigma_mu_x": halfnorm(scale=1),
        "sigma_x": halfnorm(scale=1),
        "sigma_meas": halfnorm(scale=1),
        "sigma_y": halfnorm(scale=0.5),
    }
    draws = pm.draw([model[n] for n in (*laws, "corr_ou")], 4000, random_seed=3)
    for law, drawn in zip(laws.values(), draws, strict=False):
        for column in np.reshape(drawn, (4000, -1)).T:
            assert kstest(column, law.cdf).pvalue > 1e-4
    corr = draws[-1]
    np.testing.assert_allclose(np.diagonal(corr, axis1=1, axis2=2), 1, atol=1e-12)
    np.testing.assert_allclose(corr[:, 0, 1], corr[:, 1, 0], atol=1e-12)
    # LKJ(2) in two dimensions: density 3 (1 - r^2) / 4.
    r = corr[:, 0, 1]
    assert kstest(r, lambda v: 0.5 + 0.75 * (v - v**3 / 3)).pvalue > 1e-4


@pytest.mark.parametrize("name", ["lam", "tau"])
def test_month_effects_are_centred_normals(forms, name):
    """lam = Q u with u standard normal, and Q Q' = I - 11'/T exactly."""
    form = forms("integrated-level")
    raw = f"{name}_zerosum__"
    (size,) = form.shapes[raw]
    n_month = size + 1
    zero = form.point(np.random.default_rng(0), scale=0.0, signed_sigma_meas=1.0)
    columns = [form.theta(zero | {raw: e})[name] for e in np.eye(size)]
    np.testing.assert_allclose(form.theta(zero)[name], 0, atol=1e-15)
    mixing = np.array(columns).T
    np.testing.assert_allclose(mixing @ mixing.T, np.eye(n_month) - 1 / n_month, atol=1e-12)
    node = form.model.compile_logp(vars=[form.model[name]])
    for u in np.random.default_rng(1).normal(size=(3, size)):
        change = node(zero | {raw: u}) - node(zero)
        np.testing.assert_allclose(change, -0.5 * u @ u, atol=1e-10)


CLIFFS = {
    "sigma_meas at 1e-12": {"signed_sigma_meas": 1e-12},
    "sigma_meas at 1e6": {"signed_sigma_meas": -1e6},
    "sigma_x at e^-25": {"sigma_x_log__": -25.0},
    "sigma_x at e^10": {"sigma_x_log__": 10.0},
    "both of them tiny": {"sigma_x_log__": -25.0, "signed_sigma_meas": 1e-12},
    "no slope at all": {"mu_beta": 0.0, "beta_raw": 0.0, "z_ou": 0.0},
    "slopes of 1e4": {"mu_beta": 1e4},
    "sigma_y at e^-12": {"sigma_y_log__": -12.0},
    "collinear effects": {"chol_corr_ou_choleskycorr__": 1e4},
    "OUs all alike": {"sigma_mu_x_log__": -25.0, "sigma_ou_log__": -25.0, "mu_x_ou_raw": 0.0},
}


# The forms meant to be sampled; the informed one takes the root of a variance that can vanish.
SAMPLED = pytest.mark.parametrize(
    "name", ["integrated-level", "integrated-noncentred", "explicit_informed-level"]
)


@pytest.fixture(scope="module")
def gradients(forms):
    cache = {}

    def get(name):
        if name not in cache:
            cache[name] = forms(name).model.compile_dlogp()
        return cache[name]

    return get


@SAMPLED
@pytest.mark.parametrize("cliff", CLIFFS)
def test_gradient_is_finite_at_the_edges(forms, gradients, name, cliff):
    point = forms(name).point(np.random.default_rng(6), **CLIFFS[cliff])
    assert np.isfinite(forms(name).logp(point))
    assert np.isfinite(gradients(name)(point)).all()


@SAMPLED
def test_gradient_is_the_derivative(forms, gradients, name):
    form = forms(name)
    point = form.point(np.random.default_rng(7), scale=0.5, signed_sigma_meas=-0.3)
    numeric = []
    for key, shape in form.shapes.items():
        for at in np.ndindex(shape):
            up, down = (point | {key: point[key].copy()} for _ in range(2))
            up[key][at] += 1e-6
            down[key][at] -= 1e-6
            numeric.append((form.logp(up) - form.logp(down)) / 2e-6)
    np.testing.assert_allclose(gradients(name)(point), numeric, rtol=1e-5, atol=1e-4)


@SAMPLED
def test_density_and_gradient_at_the_initial_point(forms, gradients, name):
    point = forms(name).model.initial_point()
    assert np.isfinite(forms(name).logp(point))
    assert np.isfinite(gradients(name)(point)).all()


@SAMPLED
def test_density_and_gradient_without_measurement_noise(forms, gradients, name):
    """sigma_meas = 0 is inside the support of the coordinate it is sampled on."""
    point = forms(name).point(np.random.default_rng(6), signed_sigma_meas=0.0)
    assert np.isfinite(forms(name).logp(point))
    assert np.isfinite(gradients(name)(point)).all()


@pytest.mark.filterwarnings("ignore:invalid value")
def test_centring_when_scores_never_change_within_an_ou(panel):
    frame = frame_of(panel)
    first_two = frame["month"].isin(sorted(frame["month"].unique())[:2])
    frame["survey"] = frame["ou"].str[-2:].astype(float).where(first_two & (frame["ou"] != "OU-01"))
    frame["respondents"] = frame["survey"].notna() * 5
    assert np.isfinite(centring(Panel.from_frame(frame))).all()
