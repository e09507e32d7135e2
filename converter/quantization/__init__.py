"""Variants of a model in fewer bits, and which of them are worth shipping."""
