"""The examples of the documentation run."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"


def run(tmp_path, name, *options):
    """Run an example, whose own assertions are the test, and return what it prints."""
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *options],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout, result.stderr


def test_the_evidence_of_nested_sampling_is_the_exact_one(tmp_path):
    out, _ = run(tmp_path, "nested_sampling.py", "--live", "200")
    assert "agrees with numpy.logaddexp.reduce" in out
    assert "a step with lsecy.LogSumExp" in out


def test_the_particle_filter_agrees_with_the_kalman_filter(tmp_path):
    out, _ = run(tmp_path, "particle_filter.py", "--particles", "5000")
    assert "by the Kalman filter" in out
    assert "log-weights with lsecy" in out


def test_a_large_file_is_reduced_in_the_memory_of_a_chunk(tmp_path):
    out, err = run(tmp_path, "large_file.py", "--megabytes", "64", "--chunk", "4", "--folder", str(tmp_path))
    memory = float(re.search(r"above the start: ([\d.]+) MB", out).group(1))
    assert memory < 8
    assert "has the bits of one call" in out
    assert err.rstrip().endswith("100%")


def test_the_mixture_example_runs(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    picture = tmp_path / "mixture.png"
    run(tmp_path, "mixture.py", "--output", str(picture))
    assert picture.stat().st_size > 0


def test_a_text_is_scored_from_a_file_of_float16_logits(tmp_path):
    pytest.importorskip("pydoc_data.topics")
    out, err = run(tmp_path, "score_text.py", "--every", "30", "--folder", str(tmp_path))
    assert "agrees with SciPy in float64 to the rounding of float16" in out
    assert "first choices with lsecy" in out
    assert not err


def test_softmax_regression_has_the_weights_and_the_accuracy_of_scikit_learn(tmp_path):
    pytest.importorskip("sklearn")
    out, err = run(tmp_path, "softmax_regression.py", "--seed", "1")
    assert "agrees with scikit-learn" in out
    assert "training with lsecy" in out
    assert not err


def test_the_forward_pass_agrees_with_hmmlearn(tmp_path):
    pytest.importorskip("hmmlearn")
    pytest.importorskip("pydoc_data.topics")
    out, err = run(tmp_path, "hidden_markov.py", "--letters", "5000")
    assert "agrees with hmmlearn to rounding" in out
    assert "letters with lsecy" in out
    assert not err


# Not imported here: POT imports torch and jax where it finds them.
@pytest.mark.skipif(importlib.util.find_spec("ot") is None, reason="needs POT")
def test_the_plan_of_sinkhorn_agrees_with_pot(tmp_path):
    out, err = run(tmp_path, "sinkhorn.py", "--points", "100")
    assert "agrees with POT" in out
    assert "a step with lsecy" in out
    assert not err
