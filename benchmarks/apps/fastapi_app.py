"""The smallest FastAPI app.

It starts its server itself: upstream's image makes a span of the command ``uvicorn``, and of all its requests children
of it, so that they are sampled all together or not at all.
"""

import sys

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/items/{item}")
async def show(item: int):
    """Answer without doing anything else."""
    return item


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", timeout_keep_alive=600, access_log=False)
