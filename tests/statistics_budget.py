"""One error budget for every statistical test of the suite.

A run of the whole suite makes fewer than ``MOST_TESTS`` statistical comparisons; each may fail by
chance with ``FAMILY_WISE_ERROR / MOST_TESTS``, so a run fails by chance less than once in 10^6.
Seeds are fixed, so in practice a failure is a change of code.
"""

import numpy as np
from scipy.special import ndtri

FAMILY_WISE_ERROR = 1e-6
MOST_TESTS = 10_000
LEVEL = FAMILY_WISE_ERROR / MOST_TESTS
MOST_Z = float(-ndtri(LEVEL / 2))
"""Standard errors that a normal estimate may be off, about 6.5."""


def agrees(estimate, expected, standard_error) -> bool:
    """All estimates lie within ``MOST_Z`` standard errors (and rounding) of what is expected."""
    gap = np.abs(np.asarray(estimate) - np.asarray(expected))
    return bool(np.all(gap <= MOST_Z * np.asarray(standard_error) + 1e-12))
