from collections.abc import Sequence
from typing import Any, Literal, overload

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
