"""A fortnight of usage of all series of a fleet, in blocks, and the file that stores it across restarts.

Without the file, the usage would be read again from CloudWatch, which costs a request for each metric. The
file is beside the journal.
"""

import asyncio
import logging
import struct
import time
import zlib
from pathlib import Path
from typing import Final

import numpy as np

from monitor.fleet.columns import Ids
from monitor.fleet.namespaces import NEVER
from monitor.forecast.history_block import BLOCK_SIZE, NO_ID, REFILLED_BINS, HistoryBlock
from monitor.lib.atomic_file import replace_atomically
from monitor.lib.files import check_regular, ensure_private_file
from rules.analogs import BIN_MINUTES
from rules.arrays import Flags, Ints
from rules.forecast import BINS

log = logging.getLogger(__name__)

MAX_BLOCKS: Final = 800  # a block has 256 series and takes 0.7 MiB
RETAINED_BINS: Final = 24  # bins for which the history of a removed series is retained
CREATED_TOLERANCE: Final = 1  # minutes by which two readings of the same creation may differ
MAGIC: Final = b"headroom usage history 1\n"
BLOCK_HEAD: Final = struct.Struct("<qI")  # the newest bin, and the checksum of the arrays


class UsageHistory:
    """The usage of a fortnight. The usage of each series is in one column of one block.

    A row is a number for a block and a column in it: `number of the block * BLOCK_SIZE + column`.
    path: the file; with None, the history is in memory only. blocks: the blocks in use.
    """

    def __init__(self, path: Path | None = None, max_blocks: int = MAX_BLOCKS) -> None:
        self._path, self._max_blocks = path, max_blocks
        self.blocks: list[HistoryBlock] = []
        self._rows: dict[int, int] = {}  # by the id of the series
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, series_id: int, created: int, last_bin: int) -> int | None:
        """Return the row of a series. A series without a row gets one; None if there are too many series.

        created: the minute when the series' resource was created, or NEVER; the usage of an earlier resource
        of the same name is discarded. last_bin: the newest complete bin.
        """
        row = self._rows.get(series_id)
        if row is None:
            return self._assign_row(series_id, created, last_bin)
        block, column = self.block_and_column(row)
        block.seen[column] = last_bin
        if created > block.created[column] + CREATED_TOLERANCE:
            block.recreate(column, created)
        return row

    def confirm(self, rows: Ints, series_ids: Ids, created: Ints, last_bin: int) -> Flags:
        """Return which rows still belong to these series and resources. Mark those as seen in `last_bin`."""
        row_ids, row_created = (
            np.concatenate([getattr(block, name) for block in self.blocks] or [np.empty(0, kind)])
            for name, kind in (("id", np.uint64), ("created", np.int32))
        )
        is_same: Flags = (rows >= 0) & (rows < row_ids.size)
        valid_rows = np.where(is_same, rows, 0)
        if row_ids.size:
            is_same &= row_ids[valid_rows] == series_ids
            is_same &= created <= row_created[valid_rows] + CREATED_TOLERANCE
        for number, block in enumerate(self.blocks):
            block_rows = rows[is_same & (rows // BLOCK_SIZE == number)]
            block.seen[block_rows % BLOCK_SIZE] = last_bin
        return is_same

    def is_read(self, rows: Ints) -> Flags:
        """Return `HistoryBlock.is_read` of each row."""
        flags = [block.is_read for block in self.blocks]
        read: Flags = np.concatenate(flags)[rows] if flags else np.zeros(rows.size, np.bool_)
        return read

    def block_and_column(self, row: int) -> tuple[HistoryBlock, int]:
        """Return the block and the column of a row."""
        number, column = divmod(row, BLOCK_SIZE)
        return self.blocks[number], column

    def advance(self, last_bin: int) -> None:
        """Make `last_bin` the newest bin of all blocks, and free the rows of removed series."""
        for number, block in enumerate(self.blocks):
            block.advance(last_bin)
            removed = np.flatnonzero((block.id != NO_ID) & (block.seen < last_bin - RETAINED_BINS))
            for column in removed.tolist():
                self._free_row(number * BLOCK_SIZE + column)

    def _assign_row(self, series_id: int, created: int, last_bin: int) -> int | None:
        if not self._free:
            if len(self.blocks) == self._max_blocks:
                return None
            start = len(self.blocks) * BLOCK_SIZE
            self.blocks.append(HistoryBlock(last_bin))
            self._free = [*range(start + BLOCK_SIZE - 1, start - 1, -1)]
        row = self._rows[series_id] = self._free.pop()
        block, column = self.block_and_column(row)
        block.begin(column, series_id, created)
        block.seen[column] = last_bin
        return row

    def _free_row(self, row: int) -> None:
        block, column = self.block_and_column(row)
        del self._rows[int(block.id[column])]
        block.begin(column, NO_ID, NEVER)
        self._free.append(row)

    async def save(self) -> None:
        """Write the file; a failure to write is logged."""
        if self._path:
            await asyncio.to_thread(self._write, self._path, tuple(self.blocks))

    def _write(self, path: Path, blocks: tuple[HistoryBlock, ...]) -> None:
        try:
            ensure_private_file(path)
            with replace_atomically(path) as out:
                out.write(MAGIC)
                for block in blocks:
                    last_bin, content = block.to_bytes()
                    out.write(BLOCK_HEAD.pack(last_bin, zlib.crc32(content)))
                    out.write(content)
        except OSError as error:
            log.warning("%s cannot be written: %s", path, error)

    @classmethod
    def read(cls, path: Path, now: int | None = None) -> "UsageHistory":
        """Read an earlier process's file; without a usable file, the history is empty. Blocks the thread.

        now: the current bin, by default of the machine's clock. A file with a later bin is not used.
        """
        now = int(time.time() // 60) // BIN_MINUTES if now is None else now
        try:
            return cls._read(path, now)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning("%s cannot be used, and the usage of a fortnight is read again: %s", path, error)
        return cls(path)

    @classmethod
    def _read(cls, path: Path, now: int) -> "UsageHistory":
        history, size = cls(path), HistoryBlock(0).size_in_file
        check_regular(path, path.stat())
        with path.open("rb") as file:
            if (magic := file.read(len(MAGIC))) != MAGIC:
                if not magic:  # an earlier process ended before it wrote anything
                    return history
                raise ValueError("it is not a history of usage, or of another version")
            while head := file.read(BLOCK_HEAD.size):
                if len(head) < BLOCK_HEAD.size or len(history.blocks) == MAX_BLOCKS:
                    raise ValueError("it ends within a block, or has too many blocks")
                last_bin, checksum = BLOCK_HEAD.unpack(head)
                content = file.read(size)
                if zlib.crc32(content) != checksum:
                    raise ValueError("its checksum is wrong")
                if not 0 <= last_bin <= now:
                    raise ValueError("it ends in the future")
                history._adopt(HistoryBlock.from_bytes(last_bin, content), now)
        return history

    def _adopt(self, block: HistoryBlock, now: int) -> None:
        """Add a block that an earlier process wrote, and mark its series as seen now."""
        start = len(self.blocks) * BLOCK_SIZE
        self.blocks.append(block)
        block.seen[:] = now
        if block.last_bin < now - REFILLED_BINS:  # the rings do not reach back to the block's end
            block.is_read[:] = False
        for column, series_id in enumerate(block.id.tolist()):
            is_current = series_id != NO_ID and block.last_bin > now - BINS and series_id not in self._rows
            if is_current:
                self._rows[series_id] = start + column
            else:
                block.begin(column, NO_ID, NEVER)
                self._free.append(start + column)


def history_path(journal: Path) -> Path:
    """Return the path of the history's file, which is beside the journal."""
    return journal.with_name(journal.stem + "-usage.history")
