"""Signs of the coordinates: when a flow flips them, how often, and whether they end up right."""

from ._count import (
    CountedState as CountedState,
    FlipCounter as FlipCounter,
    FlipState as FlipState,
    count_flips as count_flips,
)
from ._events import FlipEvents as FlipEvents, Flips as Flips, flip_events as flip_events, flip_times as flip_times
from ._flips import flips as flips, totals as totals
from ._passage import first_passage_time as first_passage_time
from ._recovery import agreement as agreement, recovery_time as recovery_time
