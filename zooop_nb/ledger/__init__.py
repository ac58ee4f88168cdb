"""What was ordered, quoted and charged: durable, exact, and the first to know.

The local SQLite file is the truth. It is written before the network is asked, so that whatever dies,
a paid task is found again.
"""

from zooop_nb.ledger.liveness import Session
from zooop_nb.ledger.record import OrderRecord
from zooop_nb.ledger.store import Ledger

__all__ = ["Ledger", "OrderRecord", "Session"]
