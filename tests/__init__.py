"""The tests mirror the package."""

from tests import typechecker as typechecker
