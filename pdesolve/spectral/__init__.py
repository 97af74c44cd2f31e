"""The backend for periodic boxes: Fourier pseudo-spectral, on NumPy alone."""
