"""The version, apart from the package's other names, so that everything below may know it."""

__version__ = "0.1.0"
