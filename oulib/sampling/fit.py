"""Sampling a model: seeded, cached by content, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pymc as pm
import xarray as xr

from oulib.errors import UserError
from oulib.files import MODEL_CODE, PACKAGE
from oulib.model.build import build_model
from oulib.model.deviations import complete
from oulib.model.draws.mirror import NOTABLE, applies, caught, of_one_sign, undecided
from oulib.model.draws.names import completed
from oulib.model.signs import sample_both, signs, start_from
from oulib.model.spec import ModelSpec
from oulib.panel import Panel
from oulib.sampling import cache
from oulib.sampling.compiled import compiled_model
from oulib.sampling.diagnostics import Thresholds
from oulib.sampling.looks import AUTO, LENGTHS, Look, Outcome, look
from oulib.sampling.memory import keep_freed_memory

Sampler = Literal["nutpie", "pymc", "numpyro"]
_HERE = Path(__file__).parent
_CODE = (_HERE / "fit.py", _HERE / "compiled.py", *MODEL_CODE)
_RULE = (  # what decides on the number of draws
    _HERE / "looks.py",
    _HERE / "diagnostics.py",
    PACKAGE / "model" / "draws" / "names.py",
)
_SIGNS = (  # and on the signs that are sampled as one
    PACKAGE / "model" / "draws",
    _HERE / "diagnostics.py",
)

_MATTERS = Thresholds().signs  # probability of a sign from which on both are sampled
_HINDERS = 0.02  # the same where long chains fall short
_CAREFUL = (0.97, 0.99)  # target acceptances to turn to where trajectories diverge
_DEEPER = 2  # doublings more where trajectories are cut short


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to sample: draws and warm-up per chain, chains, seed, target acceptance, sampler.

    With ``draws="auto"`` chains are as long as it takes to pass the gate, up to the last of
    :data:`oulib.sampling.looks.LENGTHS`, and are drawn again with shorter steps, for a target
    acceptance of 0.97 and then of 0.99, where trajectories diverge.  A trajectory has at most 2 **
    ``max_depth`` steps, or four times as many where some are cut short.  ``signs`` is whether a
    slope's two signs are sampled as one (:mod:`oulib.model.signs`), which frees chains that are
    caught in one: of all OUs (``"both"``), of none (``"one"``), or, with ``"auto"``, of those in
    which chains are found to be caught (:mod:`oulib.model.draws.mirror`).  Only nutpie can; it then
    takes shorter steps, for a target acceptance of at least 0.97.

    Raises:
        UserError: ``draws`` is a text other than "auto", ``signs`` is none of its three values, or
            both signs were asked of a sampler that cannot sample them as one.
    """

    draws: int | Literal["auto"] = AUTO
    tune: int = 500
    chains: int = 4
    seed: int = 20261122
    target_accept: float = 0.9
    max_depth: int = 10
    sampler: Sampler = "nutpie"
    signs: Literal["auto", "one", "both"] = AUTO

    def __post_init__(self) -> None:
        if self.signs not in (AUTO, "one", "both"):
            raise UserError(f"signs={self.signs!r}: give 'one', 'both' or {AUTO!r}.")
        if self.signs == "both" and self.sampler != "nutpie":
            raise UserError(
                f"signs='both' goes with the sampler nutpie only, and {self.sampler} was asked for."
            )
        if isinstance(self.draws, str) and self.draws != AUTO:
            raise UserError(f"draws={self.draws!r}: give a whole number of draws, or {AUTO!r}.")

    @property
    def lengths(self) -> tuple[int, ...]:
        """Draws a chain at which sampling may end."""
        return LENGTHS if self.draws == AUTO else (self.draws,)


@dataclass(frozen=True, eq=False)
class Fit:
    """A sampled model: what was asked, and the draws.

    ``tree`` is ArviZ's DataTree with the groups ``posterior``, ``sample_stats`` and
    ``observed_data``; its attributes record the question, the seeds, the versions, the looks that
    ended sampling and the seconds spent compiling, sampling and looking.
    """

    panel: Panel
    spec: ModelSpec
    sampling: Sampling
    tree: xr.DataTree
    key: str

    @property
    def posterior(self) -> xr.Dataset:
        """The draws, (chain, draw, ...), under the names of the design."""
        return self.tree["posterior"].to_dataset()

    @cached_property
    def digest(self) -> str:
        """A digest of the panel, the model and the draws: what anything said of them depends on.

        A fit's ``key`` names what was asked; two trees under one key, one of them altered, have
        the same key and another digest.
        """
        found = hashlib.sha256(f"{self.panel.fingerprint} {self.spec}".encode())
        for group in ("posterior", "sample_stats"):
            for name, values in sorted(self.tree[group].to_dataset().variables.items()):
                held = values.to_numpy()
                found.update(f"{name} {values.dims} {held.shape} {held.dtype}".encode())
                text = held.dtype.kind in "OUT"
                found.update(repr(held.tolist()).encode() if text else held.tobytes())
        return found.hexdigest()[:32]

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds spent on ``compile`` and on ``sample`` when the fit was computed."""
        return {
            stage: float(self.tree.attrs[f"{stage}_seconds"]) for stage in ("compile", "sample")
        }

    @property
    def both(self) -> tuple[str, ...]:
        """OUs of which both signs of the slope were sampled as one."""
        return tuple(json.loads(self.tree.attrs.get("both", "[]")))

    @property
    def looks(self) -> tuple[Look, ...]:
        """What the chains were like where they might have ended; none if a length was given."""
        found = json.loads(self.tree.attrs.get("looks", "[]"))
        return tuple(Look(**{**one, "failed": tuple(one["failed"])}) for one in found)

    def integrated(self) -> tuple[pm.Model, xr.Dataset]:
        """The model with the latent score integrated out, and this fit's draws of its variables.

        What is predicted or scored must not be given a row's sampled score, which has seen the
        row's outcome.  An explicit fit's parameters are those of the integrated model.
        """
        model = build_model(self.panel, self.spec.but(latent="integrated"))
        # Chains that were drawn again may be centred otherwise than a model is to begin with.
        if (centring := self.tree.attrs.get("beta_centring")) and "beta_centring" in model:
            pm.set_data({"beta_centring": json.loads(centring)}, model=model)
        posterior = completed(self.posterior)
        return model, posterior[[variable.name for variable in model.free_RVs]]


def fit(
    panel: Panel,
    spec: ModelSpec,
    sampling: Sampling | None = None,
    *,
    progress: bool | None = None,
) -> Fit:
    """Sample the model ``spec`` of ``panel``, or fetch the draws if they were computed before.

    Args:
        panel: the data.
        spec: the model.
        sampling: draws, chains, seed and sampler; :class:`Sampling`'s defaults if not given,
            under which chains are as long as it takes.
        progress: show a progress bar; by default only where standard error is a terminal.

    Returns:
        The fit.  The same panel, spec, sampling and library versions give the same draws, on as
        many cores as there are (or as the variable ``OULIB_CORES`` allows).

    Raises:
        UserError: ``OULIB_CORES`` is not a whole number above 0, or both signs were asked for of a
            model that does not sample slopes one by one.
    """
    sampling = sampling or Sampling()
    cores, key = _cores(sampling), fit_key(panel, spec, sampling)
    show = sys.stderr.isatty() if progress is None else progress
    tree, _ = cache.fetch("fits", key, lambda: _sample(panel, spec, sampling, cores, show))
    return Fit(panel=panel, spec=spec, sampling=sampling, tree=tree, key=key)


def fit_key(panel: Panel, spec: ModelSpec, sampling: Sampling) -> str:
    """The cache key of a fit; the name of the model does not enter it, its content does."""
    question = {
        "panel": panel.fingerprint,
        "spec": {k: v for k, v in spec.to_dict().items() if k != "name"},
        "sampling": asdict(sampling),
    }
    rules = (_RULE if sampling.draws == AUTO else ()) + (_SIGNS if sampling.signs == AUTO else ())
    return cache.key_of(question, _CODE + rules)


def _sample(
    panel: Panel, spec: ModelSpec, sampling: Sampling, cores: int | None, progress: bool
) -> xr.DataTree:
    keep_freed_memory()
    model, clock = build_model(panel, spec), _Clock()
    able = sampling.sampler == "nutpie" and signs(model) is not None
    if sampling.signs == "both" and not able:
        raise UserError(
            f"signs='both' was asked for, and the model {spec.name} does not sample the slopes of "
            "OUs one by one (or not with their scores summed out). Leave signs out."
        )
    given, found = sampling, list[_Drawn]()
    both: set[str] = set()

    def free(ous: Collection[str]) -> None:
        """Both signs as one in these OUs, too; the other side has awkward corners."""
        nonlocal both, sampling
        both = both | {*ous}
        sample_both(model, both)
        careful = max(sampling.target_accept, _CAREFUL[0])
        sampling = replace(sampling, target_accept=careful)

    if given.signs == "both":
        free(panel.ous)
    # Chains that began anywhere are asked for any sign; those that began on one side, for signs
    # that matter to what is said.  In the end the gate asks.
    asked = [NOTABLE, _MATTERS, _MATTERS]
    while True:
        least = asked[0] if asked else None
        last = _attempt(panel, spec, sampling, model, both, least, clock, cores, progress)
        found.append(last)
        if last.caught and able:
            asked.pop(0)
            if len(asked) < 2:  # chains that began on one side
                if not last.other:  # more of the same would not help
                    break
                free(last.other)
            start_from(model, last.draws, both or last.of_one_sign)
        elif (
            last.end
            and last.end.diverged
            and (careful := [a for a in _CAREFUL if a > sampling.target_accept])
        ):
            sampling = replace(sampling, target_accept=careful[0])
        elif last.end and last.end.cut and sampling.max_depth == given.max_depth:
            sampling = replace(sampling, max_depth=given.max_depth + _DEEPER)
        else:
            break
    drawn, stats, looks = last.draws, last.stats, [one for each in found for one in each.looks]
    kept = xr.DataTree.from_dict({"posterior": _storable(drawn), "sample_stats": _storable(stats)})
    kept["observed_data"] = xr.DataTree(
        xr.Dataset(
            {"productivity": ("row", panel.rows["y"].to_numpy())},
            coords={"row": panel.rows.get_index("row")},
        )
    )
    kept.attrs = {
        "model": spec.name,
        "spec": json.dumps(spec.to_dict()),
        "sampling": json.dumps(asdict(given)),
        "looks": json.dumps([asdict(each) for each in looks]),
        "both": json.dumps(sorted(both)),
        "panel": panel.fingerprint,
        "standardisation": json.dumps(asdict(panel.scale)),
        "versions": json.dumps(cache.versions()),
        **{f"{stage}_seconds": seconds for stage, seconds in clock.seconds.items()},
    }
    if "beta_centring" in model:
        kept.attrs["beta_centring"] = json.dumps(model["beta_centring"].get_value().tolist())
    return kept


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What chains gave: draws, statistics and the looks that ended them.

    ``caught`` is whether they ended because they are caught in signs of slopes; ``other`` are OUs
    that may have the other sign, and ``of_one_sign`` those that hardly ever cross zero.
    """

    draws: xr.Dataset
    stats: xr.Dataset
    looks: tuple[Look, ...]
    caught: bool = False
    other: Collection[str] = ()
    of_one_sign: Collection[str] = ()

    @property
    def end(self) -> Look | None:
        """The look that ended them; chains of a given length have none."""
        return self.looks[-1] if self.looks else None


@dataclass(frozen=True, eq=False)
class _Pilot:
    """Draws so far, as densities want them."""

    panel: Panel
    spec: ModelSpec
    posterior: xr.Dataset


def _attempt(
    panel: Panel,
    spec: ModelSpec,
    sampling: Sampling,
    model: pm.Model,
    both: Collection[str],
    least: float | None,
    clock: _Clock,
    cores: int | None,
    progress: bool,
) -> _Drawn:
    """Chains as long as it takes or as they were to be, with both signs of the slopes of ``both``.

    They end, too, where they are caught in other slopes, of which ``least`` is the smallest
    probability of the other sign that counts; None asks for none.
    """
    ask = sampling.sampler == "nutpie" and sampling.signs == AUTO and applies(spec)
    ask = ask and least is not None
    if sampling.sampler == "nutpie":
        with clock.of("compile"):
            compiled = compiled_model(model, spec, both=bool(both))
        lengths = _lengths(sampling, ask)
        abreast = sampling.chains if len(lengths) > 1 else cores
        chains = _by_nutpie(compiled, sampling, lengths, abreast, progress)
    else:  # they compile inside the call, so that is not told apart
        lengths = sampling.lengths
        chains = _by_pymc(model, sampling, progress)
    looks: list[Look] = []
    with closing(chains):
        for length in lengths:
            with clock.of("sample"):
                tree = next(chains)
                drawn, stats = (
                    tree[group].to_dataset().isel(draw=slice(length))
                    for group in ("posterior", "sample_stats")
                )
                drawn = complete(panel, spec, drawn, seed=sampling.seed)
            with clock.of("look"):
                pilot = _Pilot(panel, spec, drawn)
                one = None
                if sampling.draws == AUTO:
                    one = look(drawn, stats, spec, max_depth=sampling.max_depth)
                inside = (
                    ask
                    and least is not None
                    and bool(caught(pilot, both=both, least=_counting(least, one)))
                )
                if one is not None:
                    inside = inside or (ask and one.disagree)
                    outcome: Outcome = "caught" if inside else one.outcome
                    one = replace(
                        one,
                        both=len(both),
                        outcome=outcome,
                        target_accept=sampling.target_accept,
                        max_depth=sampling.max_depth,
                    )
                    looks.append(one)
            if looks[-1].outcome != "more" if looks else inside:
                break
    if not inside:
        return _Drawn(drawn, stats, tuple(looks))
    return _Drawn(drawn, stats, tuple(looks), True, undecided(pilot, both=both), of_one_sign(pilot))


def _counting(least: float, end: Look | None) -> float:
    """The smallest probability of another sign that counts: less where long chains fall short.

    Visits that are rare and not absent leave few effective draws, however long chains are.
    """
    hindered = end is not None and end.failed and end.draws >= LENGTHS[2]
    return min(least, _HINDERS) if hindered else least


def _lengths(sampling: Sampling, ask: bool) -> tuple[int, ...]:
    """Where chains are looked at: early on, too, if it is asked what they are caught in."""
    early = LENGTHS[0]
    if ask and sampling.draws != AUTO and sampling.draws > early:
        return (early, sampling.draws)
    return sampling.lengths


class _Clock:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self.seconds = {"compile": 0.0, "sample": 0.0, "look": 0.0}

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - start


def _by_nutpie(
    compiled: Any,
    sampling: Sampling,
    lengths: Sequence[int],
    cores: int | None,
    progress: bool,
) -> Generator[xr.DataTree]:
    """The draws so far when every chain has ``lengths[0]`` of them, then [1] and so on.

    Chains may be ahead of the length, and of each other; what they draw does not depend on when
    they are looked at.  They stand still while the caller looks, and end when it wants no more.
    """
    import nutpie

    finished = [0] * sampling.chains

    def count(chains: Sequence[Any]) -> None:
        finished[:] = [chain.finished_draws - sampling.tune for chain in chains]

    background = nutpie.sample(
        compiled,
        draws=lengths[-1],
        tune=sampling.tune,
        chains=sampling.chains,
        cores=cores,
        seed=sampling.seed,
        target_accept=sampling.target_accept,
        maxdepth=sampling.max_depth,
        save_warmup=False,
        progress_bar=progress,
        progress_callback=count if len(lengths) > 1 else None,
        blocking=False,
    )
    whole = None
    try:
        for length in lengths:
            # The count runs ahead of what is stored by one draw.
            while whole is None and (length == lengths[-1] or min(finished) <= length):
                try:
                    whole = background.wait(timeout=0.1)
                except TimeoutError:
                    continue
            if whole is None:
                background.pause()
                yield background.inspect()
                background.resume()
            else:
                yield whole
    finally:  # also where the user interrupts: half a fit must not be taken for one
        background.cancel()


def _cores(sampling: Sampling) -> int | None:
    """Chains that run at a time; None for nutpie's own choice.

    To be looked at they must run abreast, if need be in turns on fewer cores; chains of a given
    length need not, and keep to the number that ``OULIB_CORES`` allows.
    """
    given = os.environ.get("OULIB_CORES", "")
    if given and not (given.isdecimal() and int(given) > 0):
        raise UserError(f"OULIB_CORES={given}: the number of cores must be a whole number above 0.")
    if len(sampling.lengths) > 1:
        return sampling.chains
    return min(int(given), sampling.chains) if given else None


def _by_pymc(model: pm.Model, sampling: Sampling, progress: bool) -> Generator[xr.DataTree]:
    """Draws by PyMC's own NUTS, or numpyro's, of each of ``sampling.lengths``.

    Neither can go on where it stopped: every length is sampled from the start.
    """
    depth = "max_treedepth" if sampling.sampler == "pymc" else "max_tree_depth"
    for length in sampling.lengths:
        yield pm.sample(
            draws=length,
            tune=sampling.tune,
            chains=sampling.chains,
            random_seed=sampling.seed,
            nuts_sampler=sampling.sampler,
            nuts={"target_accept": sampling.target_accept, depth: sampling.max_depth},
            progressbar=progress,
            compute_convergence_checks=False,
            model=model,
        )


def _storable(dataset: xr.Dataset) -> xr.Dataset:
    """Without the columns of free text that netCDF cannot hold, and with plain labels."""
    objects = [name for name, values in dataset.data_vars.items() if values.dtype == object]
    dataset = dataset.drop_vars(objects)
    labels = {
        name: (coord.dims, coord.to_numpy().astype(str))
        for name, coord in dataset.coords.items()
        if coord.dtype == object
    }
    return dataset.assign_coords(labels)
