"""Every overlay is valid on two versions of Kubernetes and keeps every rule; production is what it is meant to be."""

import base64
import os
import re
import subprocess

import environment
import names
import network
import patches
import pytest
import references
import running
from conftest import fresh, made_up
from world import K8S, rendered

# The oldest that is still maintained and the newest. Before 1.30 preStop had no `sleep`.
VERSIONS = ["1.33.0", "1.37.0"]
MODULES = [names, references, environment, running, network, patches]
RULES = [rule for module in MODULES for rule in module.RULES]


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_valid_without_a_warning(overlay, version, tmp_path):
    path = tmp_path / "rendered.yaml"
    path.write_text(rendered(f"overlays/{overlay}"))
    command = ["kubernetes-validate", "--strict", "--quiet", "--kubernetes-version", version, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_it_keeps_the_rule(world, rule):
    assert rule(world) == []


def test_production_has_more_than_one_of_everything():
    world = fresh("production")
    wanted = {"gateway": 3, "matcher": 2, "chat-store": 3, "nats": 3, "mongodb": 3}
    assert {name: world.replicas(world.pod(name)) for name in wanted} == wanted
    matcher = world.pod("matcher")
    assert environment.told(world, matcher, matcher.containers[0])["NATS_REPLICAS"] == "3"


def test_production_has_no_secret_in_it():
    for overlay in ("production", "production-external"):
        assert fresh(overlay).of("Secret") == []


@pytest.mark.parametrize("server", ["nats", "mongodb"])
def test_certificates_are_for_the_names_by_which_servers_are_called(server):
    secret = next(d for d in made_up() if d["metadata"]["name"] == f"{server}-tls")
    certificate = base64.b64decode(secret["data"]["tls.crt"]).decode()
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName"],
        input=certificate,
        capture_output=True,
        text=True,
        check=True,
    )
    example = (K8S / "overlays/production/certificates.example.yaml").read_text()
    called = {f"{server}-{n}.{fresh('production').pod(server).document['spec']['serviceName']}" for n in range(3)}
    assert called <= set(re.findall(r"DNS:([-.\w]+)", shown.stdout))
    assert all(name in example for name in called)


@pytest.mark.parametrize("folder", ["servers/nats", "overlays/production"])
def test_nats_server_takes_its_configuration(folder, tmp_path):
    world = fresh("production")
    secret = next(d for d in made_up() if d["metadata"]["name"] == "nats-tls")
    for name, value in secret["data"].items():
        (tmp_path / name).write_bytes(base64.b64decode(value))
    conf = (K8S / folder / "nats.conf").read_text()
    (tmp_path / "nats.conf").write_text(re.sub("/etc/nats-tls|/run/nats|/data", str(tmp_path), conf))
    (tmp_path / "nats-users.conf").write_text((K8S / "access/nats-users.conf").read_text())
    given = {v["name"]: v.get("value", "nats-0") for v in world.pod("nats").containers[0]["env"]}
    done = subprocess.run(
        ["nats-server", "-t", "--config", tmp_path / "nats.conf"],
        check=False,
        env=os.environ | given,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
