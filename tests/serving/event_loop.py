"""An event loop of its own for a test: that of a browser's client may run in the test's thread."""

import asyncio
from concurrent.futures import ThreadPoolExecutor


def run_alone(coroutine):
    """What a coroutine returns, run in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()
