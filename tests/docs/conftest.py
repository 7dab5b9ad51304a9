"""The site, built once for all tests of a file, and a browser where there is one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # `chromium` is imported by its name

collect_ignore = ["chromium.py"]
