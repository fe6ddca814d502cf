"""The smallest FastAPI app."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/items/{item}")
async def show(item: int):
    """Answer without doing anything else."""
    return item
