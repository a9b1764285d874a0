"""Rules about names, selectors and ports: that what points at something else by name or label finds it."""

import re
from collections import Counter

from world import matches

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
PORT = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
CLUSTER_WIDE = {"Namespace"}


def names_are_valid_and_unique(world):
    wrong = [
        f"{document['kind']} {document['metadata']['name']}: not a DNS label"
        for document in world.documents
        if not LABEL.fullmatch(document["metadata"]["name"])
    ]
    seen = Counter((d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]) for d in world.documents)
    return wrong + [f"{kind} {name} is there {times} times" for (kind, _, name), times in seen.items() if times > 1]


def labels_are_valid(world):
    labelled = [(str(d["metadata"]["name"]), d["metadata"].get("labels", {})) for d in world.documents]
    labelled += [(str(pod), pod.labels) for pod in world.pods()]
    return [
        f"{who}: the label {key} has the value {value!r}"
        for who, labels in labelled
        for key, value in labels.items()
        if not isinstance(value, str) or not VALUE.fullmatch(value)
    ]


def namespaces_exist(world):
    there = {document["metadata"]["name"] for document in world.of("Namespace")}
    return [
        f"{document['kind']} {document['metadata']['name']} is in {document['metadata'].get('namespace')}, not there"
        for document in world.documents
        if document["kind"] not in CLUSTER_WIDE and document["metadata"].get("namespace") not in there
    ]


def selectors_select_their_pods(world):
    wrong = [
        f"{pod} does not select its own pods"
        for pod in world.pods()
        if pod.kind != "Job" and not matches(pod.document["spec"]["selector"], pod.labels)
    ]
    wrong += [
        f"{pod}: a topologySpreadConstraint is about other pods"
        for pod in world.pods()
        for spread in pod.spec.get("topologySpreadConstraints", [])
        if not matches(spread["labelSelector"], pod.labels)
    ]
    for kind, key in (("Service", "selector"), ("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        wrong += [
            f"{kind} {document['metadata']['name']} selects nothing"
            for document in world.of(kind)
            if not world.selected(document["spec"][key])
        ]
    return wrong


def port_names_are_valid_and_unique(world):
    wrong = []
    for pod in world.pods():
        names = Counter(port["name"] for c in pod.containers for port in c.get("ports", []))
        wrong += [f"{pod}: the port name {name}" for name, n in names.items() if n > 1 or not PORT.fullmatch(name)]
    for service in world.of("Service"):
        names = Counter(port["name"] for port in service["spec"]["ports"])
        wrong += [f"Service {service['metadata']['name']}: the port {name} twice" for name, n in names.items() if n > 1]
    return wrong


def probes_ask_one_thing_at_a_port_that_is_there(world):
    wrong = []
    for pod in world.pods():
        for container in pod.containers:
            own = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                wrong += _probe(f"{pod}: the {probe} of {container['name']}", container.get(probe), own, pod.kind)
    return wrong


def _probe(who, probe, own, kind):
    if probe is None:
        return [] if kind == "Job" else [f"{who} is missing"]
    handlers = [probe[key] for key in ("httpGet", "tcpSocket", "exec", "grpc") if key in probe]
    if len(handlers) != 1:
        return [f"{who} has {len(handlers)} handlers"]
    port = handlers[0].get("port")
    return [f"{who} asks at {port}"] if isinstance(port, str) and port not in own else []


def service_ports_lead_to_pods(world):
    return [
        f"Service {service['metadata']['name']}: {pod} has no port {port.get('targetPort')}"
        for service in world.of("Service")
        for pod in world.selected(service["spec"]["selector"])
        for port in service["spec"]["ports"]
        if port.get("targetPort") not in pod.ports()
    ]


def ingress_leads_to_a_service(world):
    wrong = []
    for ingress in world.of("Ingress"):
        hosts = {host for tls in ingress["spec"].get("tls", []) for host in tls["hosts"]}
        for rule in ingress["spec"]["rules"]:
            if rule["host"] not in hosts:
                wrong.append(f"Ingress {ingress['metadata']['name']}: no TLS for {rule['host']}")
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                service = world.find("Service", backend["name"])
                ports = {port["name"] for port in service["spec"]["ports"]} if service else set()
                if backend["port"]["name"] not in ports:
                    wrong.append(
                        f"Ingress {ingress['metadata']['name']}: no port {backend['port']['name']} of {backend['name']}"
                    )
    return wrong


def stateful_sets_have_a_headless_service(world):
    wrong = []
    for document in world.of("StatefulSet"):
        service = world.find("Service", document["spec"]["serviceName"])
        labels = document["spec"]["template"]["metadata"]["labels"]
        if (
            not service
            or service["spec"].get("clusterIP") != "None"
            or not matches(service["spec"]["selector"], labels)
        ):
            wrong.append(
                f"StatefulSet {document['metadata']['name']}: no headless Service {document['spec']['serviceName']}"
            )
    return wrong


def scalers_have_a_target(world):
    return [
        f"HorizontalPodAutoscaler {scaler['metadata']['name']}: no {scaler['spec']['scaleTargetRef']['name']}"
        for scaler in world.of("HorizontalPodAutoscaler")
        if not world.find(scaler["spec"]["scaleTargetRef"]["kind"], scaler["spec"]["scaleTargetRef"]["name"])
    ]


RULES = [
    names_are_valid_and_unique,
    labels_are_valid,
    namespaces_exist,
    selectors_select_their_pods,
    port_names_are_valid_and_unique,
    probes_ask_one_thing_at_a_port_that_is_there,
    service_ports_lead_to_pods,
    ingress_leads_to_a_service,
    stateful_sets_have_a_headless_service,
    scalers_have_a_target,
]
