"""The project's root; imported for its side effect too: modules of tools/ can be imported after it."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
