"""psycopg on trio: PostgreSQL without threads for each query, and without asyncio. See README.md in this folder."""

from phxactor.psycopg._connection import TrioConnection
from phxactor.psycopg._pool import Pool, open_pool

__all__ = ["Pool", "TrioConnection", "open_pool"]
