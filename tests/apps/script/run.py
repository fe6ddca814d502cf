"""Collect the day's prices from the catalogue service and say what came."""

import logging
import os
import urllib.error
import urllib.request

import requests

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
log = logging.getLogger("prices")


def main():
    base = os.environ["CATALOGUE_URL"]
    products = requests.get(f"{base}/products", timeout=5).json()
    log.info("%d products", len(products))
    for product in products:
        with urllib.request.urlopen(f"{base}/products/{product}/price", timeout=5) as response:
            log.info("%s costs %s", product, response.read().decode())
    try:
        urllib.request.urlopen(f"{base}/discontinued", timeout=5).close()
    except urllib.error.HTTPError as error:
        log.warning("no list of discontinued products: %d", error.code)
        error.close()
    requests.post(f"{base}/reports", json={"products": len(products)}, timeout=5).raise_for_status()
    log.info("done")


if __name__ == "__main__":
    main()
