"""Threads allocate from one arena, and freed memory is returned, if the C library can do so."""

import platform
import subprocess
import sys

SCRIPT_WITH_THREADS = """
import ctypes
from threading import Barrier, Thread

from monitor.lib.malloc import share_one_arena


def allocate():
    held = bytearray(50_000)
    all_have_allocated.wait(timeout=30)
    assert held is not None


share_one_arena()
all_have_allocated = Barrier(4)
threads = [Thread(target=allocate) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
output = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
if hasattr(libc, "malloc_info"):
    libc.malloc_info(0, output)
libc.fclose(output)
"""


def test_threads_share_the_arena_of_the_first_thread() -> None:
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT_WITH_THREADS], capture_output=True, text=True, check=True, timeout=60
    )
    assert process.stdout.count("<heap nr=") == (platform.libc_ver()[0] == "glibc")


SCRIPT_THAT_FREES = """
from pathlib import Path

from monitor.lib.malloc import return_free_memory


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])


held = [bytearray(50_000) for _ in range(1000)]
for block in held:
    block[:] = b"." * len(block)
last = held.pop()  # at the end of the heap
del held, block
before = resident()
return_free_memory()
print(before - resident())
"""


def test_freed_memory_is_returned_even_if_memory_behind_it_is_in_use() -> None:
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT_THAT_FREES], capture_output=True, text=True, check=True, timeout=60
    )
    assert (int(process.stdout) > 5_000) == (platform.libc_ver()[0] == "glibc"), "in pages of 4 KiB"
