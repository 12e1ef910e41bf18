"""What the library says about itself, and how it is told which instruction set to use."""

import os
import subprocess
import sys

import numpy as np
import pytest

import lsecy
from lsecy import _config

ISAS = _config.available_isas()


def run(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_config_as_dicts():
    config = lsecy.show_config(mode="dicts")
    types = {key: type(config[key]) for key in ("version", "isa", "isas", "openmp", "threads")}
    assert types == {"version": str, "isa": str, "isas": list, "openmp": bool, "threads": int}


def test_the_config_is_printed(capsys):
    assert lsecy.show_config() is None
    printed = capsys.readouterr().out
    assert all(word in printed for word in [lsecy.__version__, _config.isa()])


def test_the_config_names_the_version():
    assert lsecy.show_config(mode="dicts")["version"] == lsecy.__version__


def test_the_config_names_the_instruction_set_in_use(isa):
    config = lsecy.show_config(mode="dicts")
    assert config["isa"] == isa
    assert config["isas"] == ISAS


def test_the_config_names_the_number_of_threads():
    with lsecy.threads(1):
        assert lsecy.show_config(mode="dicts")["threads"] == 1


def test_another_mode_is_a_value_error():
    with pytest.raises(ValueError, match=r"^show_config: .*xml"):
        lsecy.show_config(mode="xml")


def test_the_readable_instruction_set_is_always_there():
    assert ISAS[-1] == "scalar"
    assert len(set(ISAS)) == len(ISAS)


def test_an_unknown_instruction_set_is_an_error_that_lists_the_known():
    with pytest.raises(RuntimeError, match=f"abacus.*{', '.join(ISAS)}"):
        _config.set_isa("abacus")
    assert _config.isa() in ISAS


def test_the_best_instruction_set_is_the_default(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "LSECY_ISA"}
    code = "from lsecy import _config; print(_config.isa() == _config.available_isas()[0])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.stdout.strip() == "True", result.stderr


@pytest.mark.parametrize("name", ISAS)
def test_the_environment_chooses_the_instruction_set(tmp_path, name):
    code = "import lsecy; print(lsecy.show_config(mode='dicts')['isa'], lsecy.logsumexp([0.0, 0.0]))"
    result = run("-c", code, cwd=tmp_path, LSECY_ISA=name)
    assert result.stdout.split() == [name, str(np.log(2))], result.stderr


def test_an_impossible_instruction_set_is_an_error_that_lists_the_possible(tmp_path):
    result = run("-c", "import lsecy", cwd=tmp_path, LSECY_ISA="abacus")
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last.split(": ", 1)[0] in ("RuntimeError", "ImportError")
    assert last.split(": ", 1)[1].startswith("LSECY_ISA=abacus")
    assert all(name in last for name in ISAS)


def test_the_module_runs_as_a_command(tmp_path):
    result = run("-m", "lsecy", "--quick", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert lsecy.__version__ in result.stdout
    assert _config.available_isas()[0] in result.stdout
