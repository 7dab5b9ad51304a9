"""The documentation site: `python -m docs` builds docs/out/ from the code, the figures, the ledger and a few pages.

Nothing is fetched, neither by the build nor by the pages. The docstrings of this package are Markdown, so a Markdown
library is most of a generator; the rest, which knows rooms, figures, theorems and references, is what is here.
"""
