"""The accuracy that the library promises: the one place that holds the numbers.

Keys are (case, dtype); values are the largest permitted error.
Errors count in units in the last place of the exact result (0.5 is correctly rounded),
except where a line says what it counts in, and for "ill-conditioned", which counts in
eps * max(|result|, largest |a|, sum of |terms| / |sum|).
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
    # Shares of any finite data.
    ("softmax", "float32"): 1.0,
    ("softmax", "float64"): 2.0,
    ("log_softmax", "float32"): 1.0,
    ("log_softmax", "float64"): 1.5,
    # Running sums, wherever they stand in a row.
    ("logcumsumexp", "float32"): 1.0,
    ("logcumsumexp", "float64"): 2.0,
    # In eps * max(|result|, largest |a|, 1), and eps * max(|result|, 1).
    ("logvarexp", "float32"): 4.0,
    ("logvarexp", "float64"): 4.0,
    ("log_ess", "float32"): 4.0,
    ("log_ess", "float64"): 4.0,
    ("weighted softmax", "float32"): 1.0,
    ("weighted softmax", "float64"): 2.0,
    # A weight of log_softmax enters as its rounded logarithm: in eps * max(|result|, largest |log b|, 1).
    # Half of that is lost by the element's weight, half by the largest term's and half by the result.
    ("weighted log_softmax", "float32"): 1.5,
    ("weighted log_softmax", "float64"): 1.5,
    # What the shares of one row add up to: the distance from 1, in eps.
    ("sum of softmax", "float32"): 4.0,
    ("sum of softmax", "float64"): 4.0,
    # Chosen and largest elements of log_softmax, and the loss of a row, which is minus one of them.  Of more
    # than 64 float32 the sum is of a first look, where a term errs by 3.4 half ulps of 1 and 2^-28.4 times
    # its distance from the shift, at most 32: beside an answer of 4, if one term is nearly all, 0.65 ulp.
    ("token_logprobs", "float32"): 1.25,
    ("token_logprobs", "float64"): 1.5,
    ("cross_entropy", "float32"): 1.25,
    ("cross_entropy", "float64"): 1.5,
    # With probabilities as targets, or label smoothing.
    ("cross_entropy of probabilities", "float32"): 1.0,
    ("cross_entropy of probabilities", "float64"): 2.0,
    ("cross_entropy_grad", "float32"): 1.5,
    ("cross_entropy_grad", "float64"): 2.5,
    # Shares below the smallest normal number count with the digits that they have.
    ("entropy", "float32"): 2.0,
    ("entropy", "float64"): 3.0,
    # In eps * (result + its square root), for a ratio of shares is known to an eps of 1.
    ("kl_divergence", "float32"): 1.5,
    ("kl_divergence", "float64"): 4.0,
    # In eps * max(|result|, log of the count or |log of the summed weights|, largest |a|): the logarithm of
    # the sum may be twice as large as these, and what it rounds then counts twice.
    ("logmeanexp", "float32"): 2.0,
    ("logmeanexp", "float64"): 2.0,
    ("weighted logmeanexp", "float32"): 2.0,
    ("weighted logmeanexp", "float64"): 2.0,
    # The ufuncs, for every finite input; where larger and logarithm cancel, "ill-conditioned" holds.
    ("logaddexp", "float32"): 1.0,
    ("logaddexp", "float64"): 1.0,
    ("logsubexp", "float32"): 1.0,
    ("logsubexp", "float64"): 1.0,
    ("log1mexp", "float32"): 1.0,
    ("log1mexp", "float64"): 1.0,
    ("log1pexp", "float32"): 1.0,
    ("log1pexp", "float64"): 1.0,
    # The shift and the logarithm cancel, or terms of opposite sign do.
    ("ill-conditioned", "float32"): 1.0,
    ("ill-conditioned", "float64"): 1.0,
}

# The elementary functions of kernels/elementary.pxd: ulp, and for the pair a relative error.
# AVX-512 trades digits of far terms in float32, which no answer sees, for speed: so many ulp more per |x|.
PER_X = 2.0**-4.4
ELEMENTARY = {
    ("exp by table", "float32"): 1.7,
    ("exp", "float32"): 1.2,
    ("exp", "float64"): 1.25,
    "exp_pair": 2.0**-55,
    ("exp_parts", "float32"): 2.0**-53,
    ("exp_parts", "float64"): 2.0**-55,
    "log_pair": 0.56,
}
