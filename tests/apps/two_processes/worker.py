"""Work off the orders in a process of its own, and give up when the worker's health check fails."""

import multiprocessing
import os
import sys

import httpx


def work(order):
    answer = httpx.post(f"{os.environ['QUEUE_URL']}/orders/{order}/ship")
    print(f"worker: order {order} shipped: {answer.status_code}", flush=True)


def healthy():
    answer = httpx.get(os.environ["HEALTH_URL"])
    return answer.status_code == 200


def main():
    if not healthy():
        print("worker: unhealthy at start", file=sys.stderr)
        return 1
    spawn = multiprocessing.get_context("spawn")
    child = spawn.Process(target=work, args=(7,))
    child.start()
    child.join()
    if child.exitcode != 0:
        print("worker: shipping failed", file=sys.stderr)
        return 2
    if not healthy():
        print("worker: unhealthy, giving up", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
