"""Makes a seeded synthetic nation of any size, writes its insurers' eligibility files, and names telling examples in it.

One seed, size and day always give the same bytes. Everything about a person follows from the seed and the person's
index, so that five million persons fit into a few hundred megabytes and any of them can be shown alone.
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eligibility.domain.codes import Sex
from eligibility.domain.dates import parse_date
from loadtest.population_days import day_of, number_of, plus_years
from loadtest.population_draws import Draws, Flags, Ints
from loadtest.population_examples import find_examples
from loadtest.population_holders import words
from loadtest.population_insurers import (
    Institution,
    Insurer,
    InsurerChoice,
    make_institutions,
    make_insurers,
)
from loadtest.population_people import NOBODY, make_people
from loadtest.population_rows import COLUMNS, RowWriter

__all__ = ["Coverage", "Institution", "Insurer", "Nation", "Person", "add_arguments", "run"]

_CHUNK: Final = 1 << 17  # records rendered at once
_JAPAN: Final = timezone(timedelta(hours=9))
