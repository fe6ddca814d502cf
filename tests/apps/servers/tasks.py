"""Tasks for celery, over the broker that BROKER names, or over files in the folder that it names."""

import logging
import os
from pathlib import Path

from celery import Celery
from celery.utils.log import get_task_logger

BROKER = os.environ["BROKER"]

if BROKER.startswith("redis:"):
    app = Celery("tasks", broker=BROKER)
else:
    app = Celery("tasks", broker="filesystem://")
    app.conf.broker_transport_options = {
        "data_folder_in": f"{BROKER}/queue",
        "data_folder_out": f"{BROKER}/queue",
        "control_folder": f"{BROKER}/control",
    }
log = logging.getLogger("shop")
task_log = get_task_logger(__name__)


@app.task(name="add")
def add(number):
    task_log.info("adding %d", number)
    log.warning("added %d", number)
    (Path(os.environ["DONE"]) / str(number)).write_text(str(os.getpid()))
