"""Settings of the C library's memory allocation."""

import ctypes

M_ARENA_MAX = -8  # from glibc's malloc.h


def share_one_arena() -> None:
    """Make threads that start from now on allocate memory from the arena of the first thread.

    glibc otherwise gives each thread an arena of its own (up to eight per core), and memory that a thread
    frees is reused only from its arena. Python's threads seldom allocate at the same time. Other C libraries
    have no arenas to share.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_ARENA_MAX, 1)


def return_free_memory() -> None:
    """Return freed memory to the system, wherever it is in the heap; may take some milliseconds.

    By itself, glibc returns only free memory at the end of the heap, and a small allocation there prevents
    even that.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
