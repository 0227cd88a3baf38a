"""A service in Flask. Each worker of `gunicorn --preload service:app` answers from memory and follows the document by itself.

    FLAGS=https://example.com/flags.json flask --app service run
"""

import os

from flask import Flask, Response, jsonify, request

from tidegate import Tidegate

app = Flask(__name__)
flags = Tidegate.http(os.environ["FLAGS"], cache_name="example-service", poll_interval=30)


@app.get("/cart")
def cart() -> Response:
    view = flags.view()  # one version of the document for the whole request
    user = request.args["user"]
    attributes = {"plan": request.args.get("plan", "free")}
    return jsonify(
        new_cart=view.is_active_for("shop/new_cart", user, attributes=attributes),
        rows=view.get("shop", "rows", user, default=20),
    )


@app.get("/ready")
def ready() -> Response:
    status = flags.status()
    return jsonify(health=status.health, flags=status.flags)
