"""The bus on PostgreSQL."""

from bus.postgres.bus import PostgresBus, open_postgres_bus
from bus.postgres.migrate import migrate

__all__ = ["PostgresBus", "migrate", "open_postgres_bus"]
