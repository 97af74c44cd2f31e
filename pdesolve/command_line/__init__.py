"""The command ``pdesolve``: a thin layer over the Python functions, one file a verb."""
