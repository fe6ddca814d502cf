"""Celery: the children of its pools end in ``os._exit``, recycled ones too (contrib issue 4916)."""

from __future__ import annotations

from otel_injection.lifecycle import ending

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any


def hook(pool: Any, _name: str) -> None:
    """Set the hook in the pool of billiard, celery's own multiprocessing."""
    end = pool.Worker._do_exit

    def flush_and_end(self: Any, *arguments: Any, **keywords: Any) -> Any:
        ending.flush()
        return end(self, *arguments, **keywords)

    flush_and_end.__name__ = end.__name__
    flush_and_end.__doc__ = end.__doc__
    pool.Worker._do_exit = flush_and_end
