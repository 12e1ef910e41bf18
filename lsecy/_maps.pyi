from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike, DTypeLike, NDArray

def softmax(
    x: ArrayLike,
    axis: int | Sequence[int] | None = None,
    *,
    b: ArrayLike | None = None,
    where: ArrayLike | None = None,
    logb: ArrayLike | None = None,
    scale: float = 1.0,
    out: NDArray[Any] | None = None,
    dtype: DTypeLike | None = None,
) -> Any: ...
def log_softmax(
    x: ArrayLike,
    axis: int | Sequence[int] | None = None,
    *,
    b: ArrayLike | None = None,
    where: ArrayLike | None = None,
    logb: ArrayLike | None = None,
    scale: float = 1.0,
    out: NDArray[Any] | None = None,
    dtype: DTypeLike | None = None,
) -> Any: ...
def logcumsumexp(
    a: ArrayLike,
    axis: int | None = None,
    *,
    b: ArrayLike | None = None,
    where: ArrayLike | None = None,
    logb: ArrayLike | None = None,
    scale: float = 1.0,
    exclusive: bool = False,
    reverse: bool = False,
    initial: float = ...,
    out: NDArray[Any] | None = None,
    dtype: DTypeLike | None = None,
) -> Any: ...
