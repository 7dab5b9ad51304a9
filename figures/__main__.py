"""Draw figures from the stored data of the experiments into figures/out/, as PDF and PNG, with an index page.

python -m figures all                  every figure
python -m figures all --full           from the data with all instances and seeds, into figures/out/full/; or --smoke
python -m figures NAME [NAME ...]      some of them
"""

import importlib
import sys
import warnings
from pathlib import Path

from experiments import store
from experiments._run import scale_of

from . import NAMES, dataset_of, style
from .index import write_index

OUT = Path(__file__).parent / "out"


def main(words: list[str]) -> None:
    import matplotlib.pyplot as plt

    scale, names = scale_of(words)
    unknown = [name for name in names if name not in ("all", *NAMES)]
    if unknown:
        sys.exit(f"error: unknown figure {unknown[0]!r}; there are: all, {', '.join(NAMES)}")
    if not names:
        sys.exit(f"{__doc__}\nfigures: {', '.join(NAMES)}")

    out = OUT if scale == "quick" else OUT / scale
    out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("error")
    for name in NAMES if "all" in names else names:
        try:
            module = importlib.import_module(f".{name}", __package__)
            dataset = store.load(dataset_of(name), scale)
        except FileNotFoundError as error:
            sys.exit(f"error: {error}")
        with plt.style.context(style.STYLE):
            figure = module.draw(dataset)
            for suffix in ("pdf", "png"):
                figure.savefig(out / f"{name}.{suffix}")
            plt.close(figure)
        print(f"{name:16s} {out / name}.pdf, .png")
    print(f"{'index':16s} {write_index(out, scale)}")


if __name__ == "__main__":
    main(sys.argv[1:])
