"""compose.yaml: its variables, files and order of starting hold, and it gives nobody more than is needed."""

import re

import pytest
import yaml
from conftest import configurations
from world import K8S, SERVICES

DEPLOY = K8S.parent


def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def unknown_variables(services):
    return {(n, v) for n in SERVICES for v in set(services[n]["environment"]) - configurations()[n].known}


def missing_variables(services):
    return {(n, v) for n in SERVICES for v in configurations()[n].required - set(services[n]["environment"])}


def unmounted(services):
    mounts = [mount.split(":")[0] for service in services.values() for mount in service.get("volumes", [])]
    return {mount for mount in mounts if mount.startswith("./") and not (DEPLOY / mount).exists()}


def dangling(document):
    services, wrong = document["services"], set()
    for service in services.values():
        wrong |= set(service.get("depends_on", {})) - set(services)
        wrong |= set(service["networks"]) - set(document["networks"])
        volumes = {mount.split(":")[0] for mount in service.get("volumes", []) if not mount.startswith("./")}
        wrong |= volumes - set(document["volumes"])
    return wrong


def test_services_are_told_what_they_know_and_need():
    assert unknown_variables(compose()["services"]) == set()
    assert missing_variables(compose()["services"]) == set()


def test_what_is_mounted_and_named_is_there():
    assert unmounted(compose()["services"]) == set()
    assert dangling(compose()) == set()


def test_the_example_asks_for_every_secret():
    example = (DEPLOY / "compose.env.example").read_text()
    asked = set(re.findall(r"^([A-Z_]+)=$", example, re.MULTILINE))
    used = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text()))
    assert used == asked


@pytest.mark.parametrize("name", compose()["services"])
def test_nobody_has_more_than_is_needed(name):
    service = compose()["services"][name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r":[^/]+$", service["image"]) and not service["image"].endswith(":latest")
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_the_gateway_has_no_way_to_the_database():
    document = compose()
    ways = {name for name, service in document["services"].items() if "database" in service["networks"]}
    assert ways == {"matcher", "chat-store", "mongodb", "mongodb-initiate"}
    assert document["networks"]["database"]["internal"] and document["networks"]["bus"]["internal"]


def test_the_services_wait_for_their_servers_to_be_healthy():
    services = compose()["services"]
    for name in SERVICES:
        assert services[name]["depends_on"]["nats"] == {"condition": "service_healthy"}
    for name in ("matcher", "chat-store"):
        assert services[name]["depends_on"]["mongodb-initiate"] == {"condition": "service_completed_successfully"}
    assert all("healthcheck" in services[name] for name in ("nats", "mongodb"))


def test_the_checks_find_what_they_are_there_for():
    document = compose()
    services = document["services"]
    services["matcher"]["environment"]["MATCH_INTERVALL"] = "3s"
    services["gateway"]["environment"].pop("SECRET_KEY")
    services["nats"]["volumes"].append("./nats.conf:/etc/nats/nats.conf:ro")
    services["nats"]["volumes"].append("bus:/data")
    assert unknown_variables(services) == {("matcher", "MATCH_INTERVALL")}
    assert missing_variables(services) == {("gateway", "SECRET_KEY")}
    assert unmounted(services) == {"./nats.conf"}
    assert dangling(document) == {"bus"}
