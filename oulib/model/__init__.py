"""From a panel and a specification to a PyMC model."""

import pytensor

from oulib.model.build import build_model

# Numba compiles our functions and calls SciPy's BLAS.  Only PyMC's draw of an initial point would
# go to a C compiler, look for a BLAS to link to, find none in a pip installation and warn.
# Without a compiler it runs in Python: nothing to search for, no C to compile, and machines with
# and without a compiler go the same way.
pytensor.config.cxx = ""

__all__ = ["build_model"]
