"""What executes variants: the seam (base), the engines behind it, and what is checked around a run."""
