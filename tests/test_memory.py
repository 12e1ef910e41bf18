"""A call needs no memory that grows with its input, and touches none beyond it."""

import os
import textwrap

import pytest

from lsecy import _config

BUILD = {
    "one row": "a = np.empty(8_000_000); options = {}",
    "rows": "a = np.empty((1000, 8000)); options = dict(axis=-1)",
    "columns": "a = np.empty((1000, 8000)); options = dict(axis=0)",
    "everything": "a = np.empty((1000, 8000)); options = {}",
    "short rows": "a = np.empty((1_000_000, 8)); options = dict(axis=1)",
    "few columns": "a = np.empty((1_000_000, 8)); options = dict(axis=0)",
    "Fortran order, rows": "a = np.empty((1000, 8000), order='F'); options = dict(axis=1)",
    "Fortran order, everything": "a = np.empty((1000, 8000), order='F'); options = {}",
    "axes that do not merge": "a = np.empty((200, 200, 200)); options = dict(axis=(0, 2))",
    "strided": "a = np.empty((1000, 8000))[:, ::2]; options = dict(axis=1)",
    "float32": "a = np.empty((1000, 16000), np.float32); options = dict(axis=1)",
    "float16": "a = np.empty((1000, 32000), np.float16); options = dict(axis=1)",
    "int64": "a = np.empty((1000, 8000), np.int64); options = dict(axis=1)",
    "int8": "a = np.empty((1000, 64000), np.int8); options = dict(axis=0)",
    "byte-swapped": "a = np.empty((1000, 8000), '>f8'); options = dict(axis=1)",
    "weights": "a = np.empty((1000, 4000)); options = dict(axis=1, b=np.ones((1000, 4000)))",
    "one row of integer weights": "a = np.empty((1000, 8000)); options = dict(axis=1, b=np.arange(8000))",
    "integers along axis 0": "a = np.empty((1000, 8000)); options = dict(axis=0, b=np.ones((1000, 1), int))",
    "integer weights": "a = np.empty((1000, 4000)); options = dict(axis=0, b=np.ones((1000, 4000), int))",
    "complex128, rows": "a = np.empty((1000, 4000), complex); options = dict(axis=1)",
    "complex128, columns": "a = np.empty((1000, 4000), complex); options = dict(axis=0, b=np.ones(4000))",
    "longdouble": "a = np.empty((1000, 4000), np.longdouble); options = dict(axis=1)",
    "weights that enlarge": "a = np.empty((8000,)); options = dict(axis=1, b=np.ones((1000, 1)))",
}  # fmt: skip

SCRIPT = """
    import resource, sys
    import numpy as np, lsecy

    def peak():
        # On Linux ru_maxrss starts at the peak of the parent; VmHWM is this process's own.
        if sys.platform == "linux":
            with open("/proc/self/status") as status:
                return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    small = np.ones((300, 1000))
    lsecy.logsumexp(small)
    for axis in (0, 1):
        lsecy.logsumexp(small, axis=axis)
        lsecy.logsumexp(small.astype(int), axis=axis, b=small.astype(int), return_sign=True)
    {build}
    a.fill(1) if a.flags.owndata else a.base.fill(1)
    before = peak()
    result = lsecy.logsumexp(a, **options)
    print(peak() - before - result.nbytes)
"""

# Arrays that end where a page begins which nobody may read or write.
EDGE = """
    import ctypes, mmap
    import numpy as np, lsecy

    protect = ctypes.CDLL(None, use_errno=True).mprotect
    size = 63 * mmap.PAGESIZE

    def edge():
        memory = np.frombuffer(mmap.mmap(-1, size + mmap.PAGESIZE), np.uint8)
        assert protect(ctypes.c_void_p(memory.ctypes.data + size), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
        return memory[:size]

    def put(memory, array):
        last = memory[size - array.nbytes :].view(array.dtype).reshape(array.shape)
        last[...] = array
        return last

    edges = {name: edge() for name in ("a", "b", "logb", "where")}
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for n in [*range(1, 22), 31, 32, 33, 50, 63, 64, 65, 100, 129, 1000]:
            for count in (1, 5, 64, 130):
                a = rng.normal(size=(count, n)).astype(dtype)
                if a.nbytes > size:
                    continue
                weights, mask = np.abs(rng.normal(size=a.shape)).astype(dtype), rng.random(a.shape) < 0.7
                row, column = weights[:1].copy(), weights[:, :1].copy()
                choices = [{}, {"scale": 0.7}, {"b": weights}, {"b": row, "where": mask}, {"logb": column},
                           {"logb": weights, "scale": 2.0}, {"where": mask}]
                for options in choices[: len(choices) if count in (5, 64) else 1]:
                    held = {k: put(edges[k], v) if k in edges else v for k, v in options.items()}
                    for function in (lsecy.logsumexp, lsecy.softmax, lsecy.log_softmax):
                        for axis in (0, 1):
                            last = put(edges["a"], a)
                            expected = function(a, axis=axis, **options)
                            assert function(last, axis=axis, **held).tobytes() == expected.tobytes()
                            if function is not lsecy.logsumexp:
                                function(last, axis=axis, out=last, **held)
                                assert last.tobytes() == expected.tobytes()
"""


if os.name == "posix":

    @pytest.mark.parametrize("case", BUILD)
    def test_a_call_needs_less_than_two_megabytes(printed, case):
        code = textwrap.dedent(SCRIPT).replace("{build}", BUILD[case])
        assert int(printed(code)) < 2_000_000

    LOGITS = {
        "float32": "a = np.empty((64, 128256), np.float32)",
        "float16": "a = np.empty((64, 128256), np.float16)",
        "columns": "a = np.empty((64, 128256), np.float32).T",
        "one row": "a = np.empty((1, 8_000_000), np.float32)",
    }
    CALLS = {
        "token_logprobs": "lsecy.token_logprobs(x, ids, axis, return_lse=True, return_rank=True)[0]",
        "topk_logprobs": "lsecy.topk_logprobs(x, 20, axis)[0]",
        "cross_entropy": "lsecy.cross_entropy(x, ids, axis, label_smoothing=0.1)",
        "entropy": "lsecy.entropy(x, axis)",
        "kl_divergence": "lsecy.kl_divergence(x, x, axis)",
    }

    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize("logits", LOGITS)
    def test_a_score_needs_less_than_a_megabyte(printed, logits, call):
        code = textwrap.dedent(SCRIPT).replace("{build}", f"{LOGITS[logits]}; options = {{}}")
        asked = "axis = 0 if a.shape[0] > a.shape[1] else 1; ids = np.zeros(a.shape[1 - axis], int)"
        small = f"x = a[:, :3] if axis == 0 else a[:3]; ids = ids[:3]; {CALLS[call]}; x = a"
        code = code.replace("before = peak()", f"{asked}; every = ids; {small}; ids = every; before = peak()")
        code = code.replace("lsecy.logsumexp(a, **options)", CALLS[call])
        assert int(printed(code)) < 1_000_000

    @pytest.mark.parametrize("isa", _config.available_isas())
    def test_nothing_is_touched_beyond_the_end_of_an_array(printed, isa):
        printed(EDGE, LSECY_ISA=isa)
