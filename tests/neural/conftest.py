"""Collect nothing here where torch is not installed: the test files import it at the top."""

from __future__ import annotations

import importlib.util
import os

if importlib.util.find_spec("torch") is None and not os.environ.get("PDESOLVE_FORBID_SKIPS"):
    collect_ignore_glob = ["test_*.py"]
