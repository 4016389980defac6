"""The C library's allocation of memory."""

import ctypes

M_ARENA_MAX = -8  # of glibc's malloc.h


def share_one_arena() -> None:
    """Let the threads that start from now on allocate where the first one does.

    glibc otherwise gives each of them an arena of its own (up to eight for a core), and what one of them
    frees is used again by itself alone. Python's threads seldom allocate at the same time. Other C libraries
    have no arenas to share.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_ARENA_MAX, 1)


def return_free_memory() -> None:
    """Return memory to the system that was freed, wherever it is; it may take some milliseconds.

    By itself, glibc returns only what is free at the end of the heap, and a small allocation there prevents
    it.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
