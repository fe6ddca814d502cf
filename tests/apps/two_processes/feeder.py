"""Ask the queue for orders until told to stop."""

import os
import signal
import sys
import threading

import requests


def main():
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    orders = requests.get(os.environ["QUEUE_URL"] + "/orders", timeout=5).json()
    print(f"feeder: {len(orders)} orders waiting", flush=True)
    stop.wait()
    print("feeder: stopped", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
