"""Fixtures: every instruction set that this machine can run, both dtypes, fixed seeds."""

import os
import subprocess
import sys
import textwrap
import warnings
import zlib

import hypothesis
import numpy as np
import pytest

# Two processes share the machine: a thread that waits should not hold the core that the other needs.
# OpenMP reads this once; what the tests start themselves has the policy that users have.
with pytest.MonkeyPatch.context() as patch:
    patch.setenv("OMP_WAIT_POLICY", os.environ.get("OMP_WAIT_POLICY", "passive"))
    import lsecy
    from lsecy import _config

warnings.simplefilter("error")  # for all tests

hypothesis.settings.register_profile(
    "lsecy",
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("lsecy")


def pytest_configure(config):
    """Register the marks that SciPy's own tests carry."""
    for name in ("skip_xp_backends", "xfail_xp_backends", "array_api_backends", "filterwarnings"):
        config.addinivalue_line("markers", f"{name}: used by the tests of SciPy")


def pytest_report_header():
    """Name what is under test."""
    isas = ", ".join(_config.available_isas())
    return f"lsecy: {lsecy.__file__}; instruction sets {isas}; threads {lsecy.get_num_threads()}"


@pytest.fixture(params=_config.available_isas())
def isa(request):
    """Switch to one instruction set for one test."""
    before = _config.isa()
    _config.set_isa(request.param)
    yield request.param
    _config.set_isa(before)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """Name one of the dtypes that are computed natively."""
    return np.dtype(request.param)


@pytest.fixture
def rng(request):
    """Give a generator whose seed is the test's own name, printed when the test fails."""
    seed = zlib.crc32(request.node.originalname.encode())
    print("seed", seed)
    return np.random.default_rng(seed)


@pytest.fixture
def printed(tmp_path):
    """Give a function that runs code in a fresh interpreter, elsewhere, and returns what it prints."""

    def run(code, **environment):
        result = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    return run


@pytest.fixture(autouse=True)
def _no_limit_left_behind():
    """Undo whatever a test did to the number of threads."""
    yield
    lsecy.set_num_threads(None)
