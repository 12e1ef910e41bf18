from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

@overload
def logsumexp(
    a: ArrayLike,
    axis: int | Sequence[int] | None = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: Literal[False] = False,
    *,
    where: ArrayLike | None = None,
    logb: ArrayLike | None = None,
    scale: float = 1.0,
    out: NDArray[Any] | None = None,
    dtype: DTypeLike | None = None,
) -> Any: ...
@overload
def logsumexp(
    a: ArrayLike,
    axis: int | Sequence[int] | None = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    *,
    return_sign: Literal[True],
    where: ArrayLike | None = None,
    logb: ArrayLike | None = None,
    scale: float = 1.0,
    out: tuple[NDArray[Any], NDArray[Any]] | None = None,
    dtype: DTypeLike | None = None,
) -> tuple[Any, Any]: ...
@overload
def logsumexp(
    a: ArrayLike,
    axis: int | Sequence[int] | None,
    b: ArrayLike | None,
    keepdims: bool,
    return_sign: Literal[True],
    *,
    where: ArrayLike | None = None,
    logb: ArrayLike | None = None,
    scale: float = 1.0,
    out: tuple[NDArray[Any], NDArray[Any]] | None = None,
    dtype: DTypeLike | None = None,
) -> tuple[Any, Any]: ...
@overload
def logmeanexp(
    a: ArrayLike,
    axis: int | Sequence[int] | None = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: Literal[False] = False,
    *,
    where: ArrayLike | None = None,
    logb: ArrayLike | None = None,
    scale: float = 1.0,
    out: NDArray[Any] | None = None,
    dtype: DTypeLike | None = None,
) -> Any: ...
@overload
def logmeanexp(
    a: ArrayLike,
    axis: int | Sequence[int] | None = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    *,
    return_sign: Literal[True],
    where: ArrayLike | None = None,
    logb: ArrayLike | None = None,
    scale: float = 1.0,
    out: tuple[NDArray[Any], NDArray[Any]] | None = None,
    dtype: DTypeLike | None = None,
) -> tuple[Any, Any]: ...
@overload
def logmeanexp(
    a: ArrayLike,
    axis: int | Sequence[int] | None,
    b: ArrayLike | None,
    keepdims: bool,
    return_sign: Literal[True],
    *,
    where: ArrayLike | None = None,
    logb: ArrayLike | None = None,
    scale: float = 1.0,
    out: tuple[NDArray[Any], NDArray[Any]] | None = None,
    dtype: DTypeLike | None = None,
) -> tuple[Any, Any]: ...
def hold(
    held: NDArray[Any],
    a: ArrayLike,
    axis: int | Sequence[int] | None,
    b: ArrayLike | None,
    where: ArrayLike | None,
    logb: ArrayLike | None,
    scale: float,
    dtype: DTypeLike | None,
) -> Any: ...
def fold(
    function: str,
    a: ArrayLike,
    axis: int | Sequence[int] | None,
    b: ArrayLike | None,
    keepdims: bool,
    where: ArrayLike | None,
    scale: float,
    dtype: DTypeLike | None,
) -> tuple[NDArray[np.float64], np.dtype[Any]]: ...
def output_dtype(function: str, dtype: DTypeLike) -> np.dtype[Any]: ...
def merge_held(into: NDArray[Any], source: NDArray[Any]) -> None: ...
def finish_held(
    held: NDArray[Any], row: int, bits: int, value: NDArray[Any], sign: NDArray[Any] | None
) -> None: ...
