"""An insurer's first file: what of it stands alone goes to the register portion by portion, while the next are checked.

A record stands alone when nothing can be compared with it: its insurer has no register yet, no other record of the
file may state its coverage or its person, and its person is unknown until now. Gates, guard and the rules between
records have nothing to say about such records; all others wait for the end of the file and take the merge's full way.
"""

import asyncio
import io
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final, Self, TypeVar

import polars as pl

from eligibility.domain.identifiers import InsurerNumber
from eligibility.storage.statements import statements
from payer_sync.feedback import copy_bytes, copy_rows
from payer_sync.layouts.layout import Layout
from payer_sync.rules import RecordKind

_SQL = statements("payer_sync.queries")
_TIMEOUT_S: Final = 3600.0
_NAME_PERSONS: Final = _SQL["name_persons"].removesuffix(";")  # a part of another statement, COPY
_T = TypeVar("_T")
_Alone = tuple[bytes, pl.Series]  # a portion's rows as COPY takes them, and their linkage codes
_Named = tuple[bytes, int, bytes]  # rows, how many, and who of them was named just now


class CoverageRepeated(Exception):
    """Records of different persons state one coverage; which contradict, only the whole file shows."""


class FirstFile:
    """The way of one first file into staging: its load's connection, and another that names persons.

    `shared` are the numbers of the records that may not be alone with their person.
    """

    def __init__(self, connection: Any, aside: Any, layout: Layout, shared: pl.Series) -> None:
        self._connection = connection
        self._aside = aside
        self._layout = layout
        self._shared = shared
        self._waiting = tempfile.TemporaryFile()  # noqa: SIM115 (closed with this)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.close()

    async def portions(self, checked: AsyncGenerator[pl.DataFrame, None]) -> AsyncGenerator[None, None]:
        """Stage one portion after the other, with its persons named; what is to be merged at once stands alone."""
        for statement in ("begin_first_file", "begin_postponed", "begin_planning_merge"):
            await self._connection.execute(_SQL[statement])
        await self._aside.execute(_SQL["begin_naming"])
        async with aclosing(ahead(self._named(ahead(self._alone(checked))))) as portions:
            async for rows, codes, named in portions:
                await self._copy("staged_eligibility", self._layout.staged_fields, rows)
                await self._connection.copy_to_table("named_person", source=io.BytesIO(named), timeout=_TIMEOUT_S)
                if named.count(b"\n") < codes:
                    await self._connection.execute(_SQL["postpone_known"])
                yield
                await self._connection.execute(_SQL["end_portion"])

    async def stage_rest(self, insurer: InsurerNumber) -> None:
        """Stage what had to wait for the end of the file.

        Raises:
            CoverageRepeated: it states what was merged before.
        """
        self._waiting.seek(0)
        await copy_rows(self._connection, "staged_eligibility", self._layout.staged_fields, self._waiting, _TIMEOUT_S)
        await self._connection.execute(_SQL["stage_postponed"])
        await self._connection.execute(_SQL["all_may_repeat"])
        if await self._connection.fetchval(_SQL["waiting_repeat_merged"], insurer.digits):
            raise CoverageRepeated

    async def _alone(self, checked: AsyncGenerator[pl.DataFrame, None]) -> AsyncGenerator[_Alone, None]:
        async for staged in checked:
            alone = await asyncio.to_thread(self._set_waiting_aside, staged)
            yield await asyncio.to_thread(copy_bytes, alone), alone["linkage_code"]

    def _set_waiting_aside(self, staged: pl.DataFrame) -> pl.DataFrame:
        waits = (pl.col("record_kind") != RecordKind.REGISTER.value) | pl.col("record_number").is_in(
            self._shared.implode()
        )
        self._waiting.write(copy_bytes(staged.filter(waits)))
        return staged.filter(~waits)

    async def _named(self, portions: AsyncGenerator[_Alone, None]) -> AsyncGenerator[_Named, None]:
        """Name whom each portion states, at once and for good: a name alone says nothing about anybody."""
        async for rows, codes in portions:
            named = io.BytesIO()
            async with self._aside.transaction():
                await copy_rows(
                    self._aside, "stated_code", ("linkage_code",), io.BytesIO(copy_bytes(codes.to_frame())), _TIMEOUT_S
                )
                await self._aside.copy_from_query(_NAME_PERSONS, output=named, timeout=_TIMEOUT_S)
            yield rows, len(codes), named.getvalue()

    async def _copy(self, table: str, columns: tuple[str, ...], rows: bytes) -> None:
        await copy_rows(self._connection, table, columns, io.BytesIO(rows), _TIMEOUT_S)


async def ahead(items: AsyncGenerator[_T, None]) -> AsyncGenerator[_T, None]:
    """Yield the items, the next one always under way."""
    async with aclosing(items):
        under_way = asyncio.ensure_future(anext(items, None))
        try:
            while (item := await under_way) is not None:
                under_way = asyncio.ensure_future(anext(items, None))
                yield item
        finally:
            under_way.cancel()
            await asyncio.wait([under_way])
