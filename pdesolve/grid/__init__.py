"""The backend for boxes: finite volumes on PETSc's distributed arrays."""
