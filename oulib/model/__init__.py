"""From a panel and a specification to a PyMC model."""

import pytensor

from oulib.model.build import build_model

# Numba compiles our functions and calls SciPy's BLAS.  Only PyMC's draw of an initial point goes
# to the C compiler, which would look for a BLAS to link that tiny function to, find none in a pip
# installation and warn.  It needs none, so it is told to link none.
pytensor.config.blas__ldflags = ""

__all__ = ["build_model"]
