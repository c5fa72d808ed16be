"""`locust -f loadtest/locustfile.py`: a nation's counters to explore by hand, with Locust's own page.

A site that nobody serves yet is filled and served first (loadtest/explore.py), until Locust ends. Without a run time
the morning is played in ten minutes and begins again.
"""

from typing import Any, Final

from locust import LoadTestShape, events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadtest import served
from loadtest.users import Pusher, Reader, Receptionist, monday

__all__ = ["Monday", "Pusher", "Reader", "Receptionist"]
_MORNING_S: Final = 600.0
_USERS: Final = 200
_SPAWNED_A_SECOND: Final = 20.0


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_arguments(parser: LocustArgumentParser, **_: Any) -> None:
    served.add_arguments(parser, include_in_web_ui=False)  # the site is there before the page is
    parser.add_argument("--pause", type=float, default=40.0, help="mean seconds between two patients of a counter")


@events.init.add_listener  # type: ignore[untyped-decorator]
def _begin(environment: Environment, **_: Any) -> None:
    assert environment.parsed_options is not None  # noqa: S101 (Locust has read its command line)
    found = served.find_or_begin(environment.parsed_options)
    environment.host = environment.host or found.host


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
