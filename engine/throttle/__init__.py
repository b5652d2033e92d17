"""How often: requests and tokens per minute and day, as told by the user, by the provider, or found by trying.

    luck       whether refusals come of our speed at all
    limits     what is allowed, and what one request takes
    sizes      how much a request will take, from its kind's past
    bucket     one limit, used evenly
    governor   a rate that is found by trying
    windows    limits of some seconds, told as a minute's
    pace       when the next may leave under all limits together

All of it is arithmetic that is handed the time.
"""

from __future__ import annotations

from engine.throttle.limits import DIMENSIONS, Demand, Limits, strictest
from engine.throttle.pace import Pace
from engine.throttle.sizes import Sizes

__all__ = ["DIMENSIONS", "Demand", "Limits", "Pace", "Sizes", "strictest"]
