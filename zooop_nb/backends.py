"""Which backend carries the orders: the one place that chooses."""

from zooop_nb import late
from zooop_nb.contract.backend import Backend
from zooop_nb.settings import Settings


def open(settings: Settings) -> Backend:
    """Return the backend for these settings: the live API, or a sandbox at the host in force.

    Raises `MissingKey` without a token.
    """
    settings.require_token()
    # Late: httpx takes 75 ms to import, and whoever only reads the ledger needs no backend.
    late.module("zooop_nb.client")
    from zooop_nb.client import LiveBackend

    return LiveBackend(settings)
