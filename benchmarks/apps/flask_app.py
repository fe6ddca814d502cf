"""The smallest Flask app."""

from flask import Flask

app = Flask(__name__)


@app.get("/items/<int:item>")
def show(item):
    """Answer without doing anything else."""
    return str(item)
