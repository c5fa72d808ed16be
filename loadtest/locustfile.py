"""`locust -f loadtest/locustfile.py`: a nation's counters to explore by hand, with Locust's own page.

`python -m loadtest explore` opens a site, starts the centre and says the command; without a run time the morning is
played in ten minutes and begins again.
"""

from typing import Final

from locust import LoadTestShape

from loadtest.users import Pusher, Reader, Receptionist, monday

__all__ = ["Monday", "Pusher", "Reader", "Receptionist"]
_MORNING_S: Final = 600.0
_USERS: Final = 200
_SPAWNED_A_SECOND: Final = 20.0


class Monday(LoadTestShape):
    """Counters by the hour of a Monday morning; the number asked for on the page is its fullest."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Return how many users there are now, and how fast they come and go; None ends the run."""
        options = self.runner.environment.parsed_options if self.runner else None
        wanted = int(getattr(options, "num_users", None) or _USERS)
        limit = getattr(options, "run_time", None)
        seconds: float = self.get_run_time()  # type: ignore[no-untyped-call]
        if limit and seconds > limit:
            return None
        length = float(limit or _MORNING_S)
        return monday(seconds % length, wanted, length), _SPAWNED_A_SECOND
