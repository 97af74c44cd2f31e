"""Settings that hold for every test."""

from __future__ import annotations

import os

# Before PETSc starts: it takes pytest's own arguments for its options, and would report
# them as unused after pytest's closing line.
os.environ["PETSC_OPTIONS"] = f"{os.environ.get('PETSC_OPTIONS', '')} -options_left no".strip()
os.environ.setdefault("OMP_NUM_THREADS", "1")
