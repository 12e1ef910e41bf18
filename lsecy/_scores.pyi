from collections.abc import Sequence
from typing import Any, Literal, overload

from numpy.typing import ArrayLike, NDArray

@overload
def token_logprobs(
    logits: ArrayLike,
    ids: ArrayLike,
    axis: int = -1,
    *,
    scale: float = 1.0,
    ignore_index: int | None = None,
    return_lse: Literal[False] = False,
    return_greedy: Literal[False] = False,
    return_rank: Literal[False] = False,
    out: NDArray[Any] | None = None,
) -> Any: ...
@overload
def token_logprobs(
    logits: ArrayLike,
    ids: ArrayLike,
    axis: int = -1,
    *,
    scale: float = 1.0,
    ignore_index: int | None = None,
    return_lse: bool = False,
    return_greedy: bool = False,
    return_rank: bool = False,
    out: NDArray[Any] | None = None,
) -> tuple[Any, ...]: ...
def topk_logprobs(
    logits: ArrayLike, k: int, axis: int = -1, *, scale: float = 1.0
) -> tuple[NDArray[Any], NDArray[Any]]: ...
def entropy(
    logits: ArrayLike,
    axis: int | Sequence[int] | None = -1,
    *,
    keepdims: bool = False,
    where: ArrayLike | None = None,
    scale: float = 1.0,
    out: NDArray[Any] | None = None,
) -> Any: ...
def kl_divergence(
    logits: ArrayLike,
    other: ArrayLike,
    axis: int | Sequence[int] | None = -1,
    *,
    keepdims: bool = False,
    where: ArrayLike | None = None,
    scale: float = 1.0,
    out: NDArray[Any] | None = None,
) -> Any: ...
