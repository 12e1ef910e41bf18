"""The accuracy that the library promises: the one place that holds the numbers.

Keys are (case, dtype); values are the largest permitted error.
Errors count in units in the last place of the exact result (0.5 is correctly rounded),
except for "ill-conditioned", which counts in eps * max(|result|, largest |a|, sum of |terms| / |sum|).
The tests and docs/accuracy.md both read these numbers.
"""

BOUNDS = {
    # Any finite data whose result does not come from cancellation.
    ("logsumexp", "float32"): 1.0,
    ("logsumexp", "float64"): 1.0,
    # One term dominates and lies near zero, alone or beside many tiny terms.
    ("dominated near zero", "float32"): 1.0,
    ("dominated near zero", "float64"): 2.0,
    # The largest term is 0 and the others are close to underflow.
    ("near underflow", "float32"): 1.0,
    ("near underflow", "float64"): 4.0,
    # Weights of any size, and of either sign where the terms do not cancel.
    ("weighted", "float32"): 1.0,
    ("weighted", "float64"): 1.5,
    # The shift and the logarithm cancel, or terms of opposite sign do.
    ("ill-conditioned", "float32"): 1.0,
    ("ill-conditioned", "float64"): 1.0,
}

# The elementary functions of kernels/elementary.pxd: ulp, and for the pair a relative error.
ELEMENTARY = {
    ("exp", "float32"): 1.2,
    ("exp", "float64"): 1.25,
    "exp_pair": 2.0**-55,
    "log_pair": 0.56,
}
