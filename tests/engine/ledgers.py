"""A small cap and how it is taken from."""

from __future__ import annotations

from engine.ledger import Ledger, Reservation

CAP = 1000


def taken(ledger: Ledger, amount: int) -> Reservation:
    reservation = ledger.try_reserve(amount)
    assert reservation is not None
    return reservation
