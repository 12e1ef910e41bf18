"""The house rules: public names are documented, examples run, docs and tests state the same bounds."""

import doctest
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from bounds import BOUNDS

import lsecy

DOCS = Path(__file__).resolve().parent.parent / "docs"
FUNCTIONS = sorted(name for name in lsecy.__all__ if callable(getattr(lsecy, name)))


def section(doc, title):
    return re.search(rf"^\s*{title}\n\s*-{{{len(title)}}}$", doc, re.MULTILINE)


def test_public_names_exist():
    assert [name for name in lsecy.__all__ if not hasattr(lsecy, name)] == []


def test_the_promised_names_are_public():
    promised = {"logsumexp", "set_num_threads", "get_num_threads", "threads", "show_config"}
    assert promised <= set(lsecy.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_summary_is_one_sentence(name):
    thing = getattr(lsecy, name)
    doc = thing.__doc__.split("\n\n", 1)[1] if isinstance(thing, np.ufunc) else thing.__doc__  # its signature
    assert doc.strip().splitlines()[0].endswith(".")


def test_logsumexp_is_documented_in_full():
    titles = ["Parameters", "Returns", "Raises", "Examples"]
    assert [title for title in titles if not section(lsecy.logsumexp.__doc__, title)] == []


@pytest.mark.parametrize("name", ["a", "axis", "b", "keepdims", "return_sign"])
def test_every_parameter_of_logsumexp_is_documented(name):
    assert re.search(rf"^\s*{name} : ", lsecy.logsumexp.__doc__, re.MULTILINE)


@pytest.mark.parametrize("name", ["lsecy", *FUNCTIONS])
def test_examples_in_docstrings_run(name):
    thing = lsecy if name == "lsecy" else getattr(lsecy, name)
    names = {"lsecy": lsecy, "np": np}
    test = doctest.DocTestParser().get_doctest(thing.__doc__ or "", names, name, None, 0)
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS, verbose=False)
    result = runner.run(test, out=said.append)
    assert result.failed == 0, "".join(said)


@pytest.mark.parametrize("table", ["bounds-table", "edge-case-table"])
def test_the_docs_show_the_tables_that_the_tests_read(table):
    pages = [page.read_text(encoding="utf-8") for page in (DOCS / "accuracy.md", DOCS / "contract.md")]
    assert any(f"{{{table}}}" in page for page in pages)


@pytest.mark.parametrize("case", sorted({case for case, _ in BOUNDS}))
def test_every_bound_is_stated_for_both_dtypes(case):
    assert {(case, "float32"), (case, "float64")} <= set(BOUNDS)


def test_a_warning_is_an_error_in_every_test():
    with pytest.raises(UserWarning, match="of ours"):
        warnings.warn("of ours", stacklevel=1)
