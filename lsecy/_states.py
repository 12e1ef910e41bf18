"""The state that a user holds: a log-sum-exp of what comes in pieces."""

import operator

import numpy as np

from lsecy import _reductions

# The sum at first look and with care, the weights likewise; five numbers each (kernels/table.pxd).
_LAYOUT = (4, 5)
_SUM, _WHOLE = slice(0, 2), slice(2, 4)


class LogSumExp:
    """
    Logarithm of a sum of exponentials whose terms come in pieces: a state to feed, to merge and to ask.

    Parameters
    ----------
    shape : int or tuple of int, default ()
        Shape of the array of independent sums; ``()`` is one sum.
    dtype : dtype, optional
        Of the results: float16, bfloat16, float32 or float64.  Without it they have the dtype that one
        call on everything would give, which is float64 before anything has come in.

    Attributes
    ----------
    shape : tuple of int
        Shape of the results.
    dtype : numpy.dtype
        That of the results.

    Raises
    ------
    TypeError
        If `shape` is neither an int nor a tuple of ints, or `dtype` not one of those named.
    ValueError
        If a length is negative.

    See Also
    --------
    logsumexp : The same of an array that is at hand.
    logmeanexp : Its mean.
    logcumsumexp : All the running sums of an array.

    Notes
    -----
    A fresh state is the sum of nothing, -inf with sign 0, which adds nothing to another.
    The sums are kept in float64 with what rounding takes from them, about 100 bits, so neither a long
    stream nor the order of merging shows in the result.

    Fed in whole blocks, a sum has the bits that `logsumexp` of everything has: pieces whose lengths along
    the summed axis are multiples of 2048 (float64, integers) or 4096 (float32, float16), the last of any
    length.  Other pieces may change the last bit.  Where the result is near zero or terms cancel, blocks are
    folded once more with care as long as the stream so far may end there.  A stream that comes there from
    afar, from below exp(-32) or by terms of opposite sign in pieces of their own, may differ in the last bit.

    One state serves one thread at a time; give each thread or process its own, and merge.

    The layout for files and messages (`to_buffer`) is an array of float64 of shape ``(*shape, 4, 5)`` in C
    order.  Each row of five is a state that stands for ``(high + low + rest) * exp(shift)``: `shift` (-inf
    for nothing, +inf if a term is infinite or NaN, and `high` says which), `high`, `low` and `rest` (each
    what rounding took from the one before) and `size` (the sum of the terms' magnitudes, on the same
    scale).  Rows 0 and 1 are the sum, folded at first look and with care; rows 2 and 3 are the sum of the
    weights of what is kept, for `mean`.

    Examples
    --------
    >>> import numpy as np
    >>> from lsecy import LogSumExp
    >>> state = LogSumExp()
    >>> for piece in np.split(np.full(1000, 700.0), 10):
    ...     state = state.update(piece)
    >>> float(state.result())
    706.9077552789821
    >>> float(state.mean())
    700.0
    >>> other = LogSumExp().update([710.0])
    >>> float(state.merge(other).result())
    710.0443995201094

    Three sums at once, one for each column:

    >>> columns = LogSumExp(3)
    >>> columns.update(np.zeros((4, 3)), axis=0).update([0.0, 1.0, 2.0], axis=()).result()
    array([1.60943791, 1.90483244, 2.4326529 ])
    """

    __slots__ = ("_dtype", "_fed", "_held")
    __hash__ = None

    def __init__(self, shape=(), dtype=None):
        self._held = np.zeros((*_as_shape(shape), *_LAYOUT))
        self._held[..., 0] = -np.inf
        self._dtype = None if dtype is None else _reductions.output_dtype("LogSumExp", dtype)
        self._fed = None  # the dtype of one call on everything so far

    @property
    def shape(self):
        """Shape of the results."""
        return self._held.shape[:-2]

    @property
    def dtype(self):
        """Data type of the results."""
        return self._dtype or self._fed or np.dtype(np.float64)

    def update(self, a, axis=None, b=None, where=None, *, logb=None, scale=1.0):
        """
        Add ``b * exp(a)``, summed over `axis`.

        Parameters
        ----------
        a : array_like
            Exponents, of the real dtypes that `logsumexp` takes.
        axis : None, int or tuple of int, default None
            Axes that are summed over: what is left must have the shape of the state.  None means all,
            ``()`` none: then `a` adds one term to each sum.
        b : array_like, optional
            Weights of any sign; an element of weight 0 is dropped.
        where : array_like of bool, optional
            Where it is false an element is dropped.  The mask of a masked array does the same.
        logb : array_like, optional
            Logarithms of weights, in place of `b`.
        scale : float, default 1.0
            Factor of `a`.

        Returns
        -------
        LogSumExp
            The state itself.

        Raises
        ------
        TypeError
            As `logsumexp`, and for complex numbers and longdouble.
        ValueError
            As `logsumexp`, and if what is left of the shape is not that of the state.
        numpy.exceptions.AxisError
            If an axis is out of range.

        Notes
        -----
        All is checked before the state changes.  `a` is read once; weights are read twice, for `mean`.
        """
        kind = _reductions.hold(self._held, a, axis, b, where, logb, scale, self._dtype)
        if kind is not self._fed:
            self._note(kind)
        return self

    def _note(self, kind):
        self._fed = kind if self._fed is None else np.result_type(self._fed, kind)

    def merge(self, other):
        """
        Add the sums of another state, which stays as it is.

        Parameters
        ----------
        other : LogSumExp
            A state of the same shape.

        Returns
        -------
        LogSumExp
            The state itself.

        Raises
        ------
        TypeError
            If `other` is no such state.
        ValueError
            If its shape differs.
        """
        if not isinstance(other, LogSumExp):
            raise TypeError(f"LogSumExp.merge: other must be a LogSumExp, not {type(other).__name__}")
        if other.shape != self.shape:
            raise ValueError(
                f"LogSumExp.merge: other has shape {other.shape}; this state has shape {self.shape}"
            )
        source = other._held.copy() if other is self else other._held
        if other._fed is not None:
            self._note(other._fed)
        _reductions.merge_held(self._held, source)
        return self

    def result(self, return_sign=False):
        """
        Return the logarithm of the sum so far.

        Parameters
        ----------
        return_sign : bool, default False
            Return the sign of the sum as well; the first result is then ``log(abs(sum))``.

        Returns
        -------
        lse : ndarray or NumPy scalar
            Of the state's shape and dtype.  -inf where nothing has come in; NaN for a negative sum
            without `return_sign`.
        sign : ndarray or NumPy scalar
            Only with `return_sign`: 1, -1, 0 for an empty or vanishing sum, NaN for NaN.
        """
        value, sign = self._answers(_SUM, return_sign)
        return (_as_asked(self, value), _as_asked(self, sign)) if return_sign else _as_asked(self, value)

    def mean(self, return_sign=False):
        """
        Return the logarithm of the mean so far, ``log(sum(b * exp(a)) / sum(b))``.

        Parameters
        ----------
        return_sign : bool, default False
            Return the sign of the mean as well.

        Returns
        -------
        lme : ndarray or NumPy scalar
            Of the state's shape and dtype.  NaN for the mean of nothing, and for a negative mean without
            `return_sign`.
        sign : ndarray or NumPy scalar
            Only with `return_sign`: that of the mean.
        """
        value, sign = self._answers(_SUM, True)
        less, whole_sign = self._answers(_WHOLE, True)
        with np.errstate(all="ignore"):
            value = value - less
            sign = sign * np.where(whole_sign == 0, 1, whole_sign)  # as if divided by +0
            sign = np.where(np.isnan(value), np.nan, sign)
            if not return_sign:
                return _as_asked(self, np.where(sign < 0, np.nan, value))
        return _as_asked(self, value), _as_asked(self, sign)

    def _answers(self, part, signed):
        # In double; the sign is None where it is not asked for, and the value then NaN for a negative sum.
        bits = 64 if part is _WHOLE or self.dtype == np.float64 else 32
        value = np.empty(self.shape)
        sign = np.empty(self.shape) if signed else None
        _reductions.finish_held(self._held, part.start, bits, value, sign)
        return value, sign

    def copy(self):
        """
        Return a state of its own with the same sums.

        Returns
        -------
        LogSumExp
            The copy.
        """
        return _rebuilt(type(self), self._held.copy(), self._dtype, self._fed)

    def to_buffer(self):
        """
        Return the numbers of the state, in the layout that the class documents.

        Returns
        -------
        ndarray of float64
            A copy, of shape ``(*shape, 4, 5)``.
        """
        return self._held.copy()

    @classmethod
    def from_buffer(cls, buffer, dtype=None):
        """
        Make a state from the numbers that `to_buffer` gave.

        Parameters
        ----------
        buffer : array_like of float64
            Of shape ``(*shape, 4, 5)``; it is copied.
        dtype : dtype, optional
            As for the class.

        Returns
        -------
        LogSumExp
            A state of shape ``buffer.shape[:-2]``.

        Raises
        ------
        TypeError
            If `buffer` is not of float64.
        ValueError
            If its last two lengths are not 4 and 5, or a shift in it is NaN.
        """
        numbers = np.asarray(buffer)
        if numbers.dtype.newbyteorder("=") != np.float64:
            raise TypeError(f"LogSumExp.from_buffer: buffer has dtype {numbers.dtype}; it must be float64")
        if numbers.shape[-2:] != _LAYOUT:
            raise ValueError(
                f"LogSumExp.from_buffer: buffer has shape {numbers.shape}; it must end in (4, 5)"
            )
        if np.isnan(numbers[..., 0]).any():
            raise ValueError("LogSumExp.from_buffer: buffer holds a shift that is NaN, which no state has")
        kind = None if dtype is None else _reductions.output_dtype("LogSumExp.from_buffer", dtype)
        return _rebuilt(cls, np.array(numbers, np.float64, order="C"), kind, None)

    def __eq__(self, other):
        if not isinstance(other, LogSumExp):
            return NotImplemented
        return self.dtype == other.dtype and np.array_equal(self._held, other._held, equal_nan=True)

    def __repr__(self):
        value, sign = self._answers(_SUM, True)
        value = np.array2string(value, separator=", ", threshold=8, edgeitems=2)
        signs = np.unique(sign[sign != 1])  # ones go without saying
        sign = (
            ""
            if signs.size == 0
            else ", sign " + np.array2string(sign, separator=", ", threshold=8, edgeitems=2)
        )
        return f"<LogSumExp of shape {self.shape}, {self.dtype}: {value}{sign}>"

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        return _rebuilt, (type(self), self._held, self._dtype, self._fed)


def _rebuilt(kind, held, dtype, fed):
    """Make a state of what it is made of."""
    state = kind.__new__(kind)
    state._held, state._dtype, state._fed = held, dtype, fed
    return state


def _as_shape(shape):
    try:
        lengths = tuple(operator.index(n) for n in (shape if isinstance(shape, (tuple, list)) else (shape,)))
    except TypeError:
        raise TypeError(f"LogSumExp: shape must be an int or a tuple of ints, not {shape!r}") from None
    if min(lengths, default=0) < 0:
        raise ValueError(f"LogSumExp: shape is {shape}; a length must not be negative")
    return lengths


def _as_asked(state, array):
    kind = state.dtype
    if kind == np.float64:
        return array[()]
    with np.errstate(all="ignore"):  # by way of float32, as every result that is computed in it
        return array.astype(np.float32).astype(kind, copy=False)[()]
