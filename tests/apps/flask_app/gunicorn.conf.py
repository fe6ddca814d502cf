"""Settings of gunicorn for the shop: gunicorn --config gunicorn.conf.py 'shop:create_app()'."""

import os

bind = os.environ.get("BIND", "127.0.0.1:8000")
worker_class = os.environ.get("WORKER_CLASS", "gthread")
workers = int(os.environ.get("WORKERS", "4"))
threads = int(os.environ.get("THREADS", "4"))
graceful_timeout = 10
worker_tmp_dir = "/dev/shm"
control_socket_disable = True  # the file system is read-only
accesslog = "-"
access_log_format = "%(p)s %(m)s %(U)s %(s)s"


def post_worker_init(worker):
    worker.log.info("Worker ready (pid: %s)", worker.pid)
