"""How the documentation is built: ``sphinx-build -W docs docs/_build``, with lsecy installed."""

import sys
import tomllib
from pathlib import Path

import lsecy

HERE = Path(__file__).parent
sys.path += [str(HERE / "_ext"), str(HERE.parent / "tests")]  # tables.py; the numbers that the tests read

project = "lsecy"
author = "lsecy developers"
copyright = f"2026, {author}"
version = release = lsecy.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "myst_parser", "tables"]
exclude_patterns = ["_build", "_ext", "examples"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings say it
numpydoc_show_class_members = False
settings = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
numpydoc_validation_checks = set(settings["tool"]["numpydoc_validation"]["checks"]) - {"PR01", "RT01"}
# NumPy gives a ufunc its signature and the end of its docstring.
numpydoc_validation_exclude = {r"\.(signed_)?log(addexp|subexp|1mexp|1pexp)$"}

html_theme = "pydata_sphinx_theme"
html_title = "lsecy"
html_theme_options = {"secondary_sidebar_items": ["page-toc"], "show_prev_next": False}
html_show_sourcelink = False
