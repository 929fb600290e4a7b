"""The baseline model once more, in plain numpy, written from the specification alone.

Nothing here comes from ``oulib``: parameters are dictionaries under the public names, data are a
panel's ``rows``.  The latent score is integrated by brute force.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp
from scipy.stats import halfnorm, multivariate_normal, norm

GAMMA_X = 0.2
ETA = 2.0


def normal(value, mean, sd):
    """Log density of a normal distribution."""
    return -0.5 * ((value - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)


class Rows:
    """Log densities of each row as functions of its latent score (spec 1.3 and 1.4)."""

    def __init__(self, theta, rows):
        g, t = rows["ou_idx"].to_numpy(), rows["month_idx"].to_numpy()
        self.y, self.x = rows["y"].to_numpy(), rows["x"].to_numpy()
        self.seen = ~np.isnan(self.x)
        self.prior_mean = theta["mu_x_ou"][g] + GAMMA_X * theta["tau"][t]
        self.prior_sd = theta["sigma_x"]
        self.level = theta["alpha"][g] + theta["lam"][t]
        self.beta = theta["beta"][g]
        self.sigma_y = theta["sigma_y"]
        n = rows["respondents"].to_numpy()
        self.noise_sd = theta["sigma_meas"] / np.maximum(np.sqrt(n), 1)

    def prior(self, x_star):
        return normal(x_star, self.prior_mean, self.prior_sd)

    def survey(self, x_star):
        """0 where no survey was observed."""
        return np.where(self.seen, normal(self.x, x_star, self.noise_sd), 0.0)

    def outcome(self, x_star):
        return normal(self.y, self.level + self.beta * x_star, self.sigma_y)

    def survey_alone(self, x_star):
        return self.prior(x_star) + self.survey(x_star)

    def joint(self, x_star):
        return self.survey_alone(x_star) + self.outcome(x_star)

    def grid(self, log_density, drop=45.0, size=801):
        """A grid of latent scores, (size, row), over which ``log_density`` falls by ``drop``.

        The density is log-concave, so its peak is found by golden sections between the extreme
        places where one of its factors peaks, and its ends by doubling a step and halving back.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            by_outcome = (self.y - self.level) / self.beta
        by_outcome = np.where(np.abs(by_outcome) < 1e8, by_outcome, self.prior_mean)
        centres = np.array([self.prior_mean, np.where(self.seen, self.x, by_outcome), by_outcome])
        low, high = centres.min(axis=0), centres.max(axis=0)
        golden = (np.sqrt(5) - 1) / 2
        for _ in range(120):
            left, right = high - golden * (high - low), low + golden * (high - low)
            up = log_density(left) < log_density(right)
            low, high = np.where(up, left, low), np.where(up, high, right)
        peak = (low + high) / 2
        top = log_density(peak)
        ends = []
        for sign in (-1, 1):
            step = np.full(peak.shape, 1e-12)
            for _ in range(100):
                step = np.where(top - log_density(peak + sign * step) < drop, 2 * step, step)
            inner = step / 2
            for _ in range(20):
                middle = (inner + step) / 2
                short = top - log_density(peak + sign * middle) < drop
                inner, step = np.where(short, middle, inner), np.where(short, step, middle)
            ends.append(peak + sign * step)
        return np.linspace(*ends, size)

    def integral(self, log_density):
        """Log of the integral over x* of each row, by the trapezoid rule on its own grid."""
        grid = self.grid(log_density)
        steps = np.diff(grid, axis=0)
        weights = np.zeros_like(grid)
        weights[1:] += steps / 2
        weights[:-1] += steps / 2
        return logsumexp(log_density(grid) + np.log(weights), axis=0)

    def moments(self, log_density):
        """Mean and sd of x* in each row under the density, from the same grid."""
        grid = self.grid(log_density)
        weight = np.exp(log_density(grid) - logsumexp(log_density(grid), axis=0))
        mean = np.sum(weight * grid, axis=0)
        return mean, np.sqrt(np.sum(weight * (grid - mean) ** 2, axis=0))


def row_densities(theta, rows):
    """log p(x'_i) of the rows with a survey, and log p(y_i | x'_i) of all rows."""
    by_row = Rows(theta, rows)
    survey = by_row.integral(by_row.survey_alone)
    return survey[by_row.seen], by_row.integral(by_row.joint) - survey


def log_prior(theta):
    """Log prior density of the parameters (spec 1.1 to 1.4), with x* left out.

    With respect to mu_alpha, mu_beta, sigma_ou, the correlation, alpha, beta, mu_x, sigma_mu_x,
    mu_x_ou, sigma_x, sigma_meas, sigma_y and the first T - 1 of lam and of tau.
    """
    correlation = theta["corr_ou"][0, 1]
    scale = np.diag(theta["sigma_ou"])
    covariance = scale @ np.array([[1, correlation], [correlation, 1]]) @ scale
    mean = [theta["mu_alpha"], theta["mu_beta"]]
    n_month = len(theta["lam"])
    centred = multivariate_normal(cov=np.eye(n_month - 1) - 1 / n_month)
    return (
        norm.logpdf(theta["mu_alpha"], 0, 1)
        + norm.logpdf(theta["mu_beta"], 0, 0.5)
        + halfnorm.logpdf(theta["sigma_ou"], scale=1).sum()
        + (ETA - 1) * np.log(1 - correlation**2)
        - np.log(4 / 3)  # the integral of 1 - r^2
        + np.sum(
            multivariate_normal(mean, covariance, allow_singular=True).logpdf(
                np.column_stack([theta["alpha"], theta["beta"]])
            )
        )
        + norm.logpdf(theta["mu_x"], 0, 1)
        + halfnorm.logpdf(theta["sigma_mu_x"], scale=1)
        + norm.logpdf(theta["mu_x_ou"], theta["mu_x"], theta["sigma_mu_x"]).sum()
        + halfnorm.logpdf(theta["sigma_x"], scale=1)
        + halfnorm.logpdf(theta["sigma_meas"], scale=1)
        + halfnorm.logpdf(theta["sigma_y"], scale=0.5)
        + centred.logpdf(theta["lam"][:-1])
        + centred.logpdf(theta["tau"][:-1])
    )


def log_joint(theta, rows):
    """Log joint density of parameters and data, with ``x_star`` if ``theta`` has it."""
    by_row = Rows(theta, rows)
    x_star = theta.get("x_star")
    likelihood = by_row.integral(by_row.joint) if x_star is None else by_row.joint(x_star)
    return log_prior(theta) + likelihood.sum()


def flat(theta):
    """The free scalars of ``theta`` in one vector, the one that densities refer to."""
    return np.concatenate(
        [
            np.ravel(theta[name])
            for name in (
                *("mu_alpha", "mu_beta", "sigma_ou", "alpha", "beta"),
                *("mu_x", "sigma_mu_x", "mu_x_ou", "sigma_x", "sigma_meas", "sigma_y"),
            )
        ]
        + [[theta["corr_ou"][0, 1]], theta["lam"][:-1], theta["tau"][:-1]]
        + [np.ravel(theta.get("x_star", []))]
    )
