"""The terminal's log: JSON lines on standard output, which hold codes and counts and nothing of a person."""

import logging
import sys

import structlog


def configure_logs() -> None:
    """Send every log line of the process to standard output as JSON; libraries speak from warnings up."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
