"""Tests here run in a process of their own, as those of the TensorFlow front end do."""

from tests.converter.frontends.tensorflow.conftest import child, pytest_pyfunc_call

__all__ = ["child", "pytest_pyfunc_call"]
