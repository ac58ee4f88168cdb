"""The ledger: every order, quote and charge, durable and exact.

The local SQLite file is the truth. It is written before each request, so that a paid task can be recovered
after any crash.
"""

from zooop_nb.ledger.executions import Continued, OrderQuery, Outcome, TakenUp, TakeUp
from zooop_nb.ledger.following import Reservation
from zooop_nb.ledger.liveness import ProcessLock
from zooop_nb.ledger.record import Execution, OrderRecord
from zooop_nb.ledger.store import Ledger

__all__ = [
    "Continued",
    "Execution",
    "Ledger",
    "OrderQuery",
    "OrderRecord",
    "Outcome",
    "ProcessLock",
    "Reservation",
    "TakeUp",
    "TakenUp",
]
