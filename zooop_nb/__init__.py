"""The notebook studio for ZOOOP."""

__version__ = "0.1.0"
