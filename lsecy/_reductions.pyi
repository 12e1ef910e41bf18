from collections.abc import Sequence
from typing import Any, Literal, overload

from numpy.typing import ArrayLike

@overload
def logsumexp(
    a: ArrayLike,
    axis: int | Sequence[int] | None = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: Literal[False] = False,
) -> Any: ...
@overload
def logsumexp(
    a: ArrayLike,
    axis: int | Sequence[int] | None = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    *,
    return_sign: Literal[True],
) -> tuple[Any, Any]: ...
@overload
def logsumexp(
    a: ArrayLike,
    axis: int | Sequence[int] | None,
    b: ArrayLike | None,
    keepdims: bool,
    return_sign: Literal[True],
) -> tuple[Any, Any]: ...
