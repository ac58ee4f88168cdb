"""The live backend: v1 over httpx, async only. It knows no threads, no notebook and no ledger."""

from zooop_nb.client.live import LiveBackend

__all__ = ["LiveBackend"]
