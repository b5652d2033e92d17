"""Many workers as one engine: dealt requests, lent money and parts of the limits, on one machine or on many.

shares          who may use how much of the limits: pure
leases          who holds how much of the money: pure
dealing         which request goes to whom: pure
wire            what is told between them
alike           whether those that come are of the same make
secrets         which keys they are told
purse, hired    the engine of a worker, within what it was lent
worker          asks what it is dealt, and tells
coordinator     lends parts of the limits
hand, staff     the workers as the driver knows them
assignments     requests under way
fleet           the driver: an Engine like any other
gathering       the journals that workers left
stakes          what each may have spent, for when its journal is lost
figures         what all of them have told, as the figures of one engine
links           what carries all this: `near` within one process, `on_ray` and its `actors` on a cluster
"""

from __future__ import annotations
