"""The worlds that the tests look at: one for each overlay, rendered once."""

import functools
import os
import subprocess

import pytest
from environment import configuration
from world import K8S, OVERLAYS, SERVICES, World, documents, rendered

# Made by others than secrets.sh: by whoever has the name that people type, or who runs MongoDB elsewhere.
MADE_ELSEWHERE = {
    "gateway-certificate": {"tls.crt", "tls.key"},
    "mongodb-uris": {"matcher", "chat-store"},
}


@functools.cache
def made_up():
    """The Secrets that secrets.sh prints."""
    printed = subprocess.run([K8S / "secrets.sh"], capture_output=True, text=True, check=True).stdout
    return [document for document in documents(printed) if document["kind"] == "Secret"]


@functools.cache
def configurations():
    local = os.environ.get("LOCAL", K8S.parent.parent / "target/debug/local")
    return {service: configuration([local, service]) for service in SERVICES}


def fresh(overlay):
    """An overlay's world, to be changed as one likes. The local one makes its own secrets."""
    secrets = {d["metadata"]["name"]: set(d["data"]) for d in made_up()} | MADE_ELSEWHERE
    secrets = {} if overlay == "local" else secrets
    return World(documents(rendered(f"overlays/{overlay}")), secrets, configurations(), overlay)


@pytest.fixture(params=OVERLAYS)
def overlay(request):
    return request.param


@pytest.fixture
def world(overlay):
    return fresh(overlay)
