"""Asking through a queue: questions go out on a Redis stream, and answers come in on another."""

from handlers.queue.answers import serve_queue
from handlers.queue.check import check_queue, refuse_bad_queue
from handlers.queue.connection import Queue, Streams, open_queue
from handlers.queue.errors import PublishError, QueueError, QueueSetupError
from handlers.queue.handler import QueueHandler

__all__ = [
    "PublishError",
    "Queue",
    "QueueError",
    "QueueHandler",
    "QueueSetupError",
    "Streams",
    "check_queue",
    "open_queue",
    "refuse_bad_queue",
    "serve_queue",
]
