"""Harbours of the world, as JSON."""

import json
import pathlib
import sys

from flask import Flask, abort, jsonify

HARBOURS = json.loads(pathlib.Path(__file__).with_name("harbours.json").read_text())

app = Flask(__name__)


@app.get("/")
def names():
    return jsonify(sorted(HARBOURS))


@app.get("/harbours/<name>")
def harbour(name):
    return jsonify(HARBOURS.get(name) or abort(404))


@app.get("/healthy")
def healthy():
    return "yes\n"


def check():
    """Ask the app for what it must have, without a server."""
    client = app.test_client()
    assert "rotterdam" in client.get("/").json
    assert client.get("/harbours/rotterdam").json["country"] == "NL"
    assert client.get("/harbours/atlantis").status_code == 404
    print("harbours: all is well")


if __name__ == "__main__":
    check() if "--check" in sys.argv else app.run(host="0.0.0.0", port=8000)
