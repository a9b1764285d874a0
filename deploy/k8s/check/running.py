"""Rules about how pods run: images, resources, privileges, how many, and how they stop."""

import re

from environment import told
from world import matches

UNITS = {"": 1, "m": 1e-3, "k": 1e3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
DURATIONS = {"ms": 1e-3, "s": 1, "m": 60, "h": 3600}
# What it takes to stop an otherwise idle process, in seconds.
EXIT = 5
# What a gateway needs to drain besides DRAIN_SPREAD, in seconds, by its --help.
GOODBYES = 12


def amount(text):
    """A quantity of Kubernetes, as a number."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()
    return float(number) * UNITS[unit]


def seconds(text):
    """A duration of a service or of HAProxy, in seconds."""
    number, unit = re.fullmatch(r"([0-9.]+)(ms|s|m|h)", text).groups()
    return float(number) * DURATIONS[unit]


def images_are_pinned(world):
    return [
        f"{pod}: the image {container['image']} has no fixed version"
        for pod in world.pods()
        for container in pod.containers
        if re.search(r":latest$", container["image"]) or not re.search(r":[^/]+$|@sha256:", container["image"])
    ]


def resources_are_limited(world):
    wrong = []
    for pod in world.pods():
        for container in pod.containers:
            resources = container.get("resources", {})
            requests, limits = resources.get("requests", {}), resources.get("limits", {})
            wrong += [
                f"{pod}: {container['name']} has no limit of {what}, or one below its request"
                for what in ("cpu", "memory")
                if what not in requests or what not in limits or amount(requests[what]) > amount(limits[what])
            ]
    return wrong


def pods_are_restricted(world):
    """What the "restricted" level of Pod Security wants, and a file system that cannot be written."""
    wrong = []
    for pod in world.pods():
        context = pod.spec.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
            wrong.append(f"{pod} may run as root")
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            wrong.append(f"{pod} has no seccomp profile")
        if any(pod.spec.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC")):
            wrong.append(f"{pod} is in the host's namespaces")
        allowed = {"name", "configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim"}
        wrong += [f"{pod}: the volume {v['name']}" for v in pod.spec.get("volumes", []) if set(v) - allowed]
        wrong += [f"{pod}: {c['name']} {what}" for c in pod.containers for what in _privileges(c)]
    return wrong


def _privileges(container):
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "may gain privileges"
    if context.get("capabilities", {}).get("drop") != ["ALL"] or context.get("capabilities", {}).get("add"):
        yield "has capabilities"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "may write to its file system"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "takes a port of the host"


def nodes_can_be_drained(world):
    wrong = []
    for pod in world.pods():
        budgets = [b for b in world.of("PodDisruptionBudget") if matches(b["spec"]["selector"], pod.labels)]
        if pod.kind != "Job" and len(budgets) != 1:
            wrong.append(f"{pod} has {len(budgets)} disruption budgets")
        wrong += [problem for budget in budgets for problem in _budget(world, pod, budget["spec"])]
    return wrong


def _budget(world, pod, budget):
    if ("minAvailable" in budget) == ("maxUnavailable" in budget):
        yield f"{pod}: its disruption budget wants one of minAvailable and maxUnavailable"
    elif budget.get("maxUnavailable") == 0 or budget.get("minAvailable", 0) >= world.replicas(pod):
        yield f"{pod}: its disruption budget lets none of {world.replicas(pod)} go"


def scaling_makes_sense(world):
    wrong = []
    for scaler in world.of("HorizontalPodAutoscaler"):
        spec, name = scaler["spec"], scaler["metadata"]["name"]
        target = world.find(spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"])
        if not 1 <= spec["minReplicas"] < spec["maxReplicas"]:
            wrong.append(f"the scaler {name} has no room")
        if target and "replicas" in target["spec"]:
            wrong.append(f"the scaler {name} and the Deployment both say how many")
        down = spec.get("behavior", {}).get("scaleDown", {})
        if down.get("stabilizationWindowSeconds", 300) < 300 or not down.get("policies"):
            wrong.append(f"the scaler {name} shrinks fast")
        wrong += [f"the scaler {name}: {problem}" for problem in _target(world, spec, target)]
    return wrong


def _target(world, spec, target):
    for metric in spec["metrics"]:
        wanted = metric["resource"]["target"]
        containers = target["spec"]["template"]["spec"]["containers"] if target else []
        limits = [amount(container["resources"]["limits"]["cpu"]) for container in containers]
        if wanted["type"] == "AverageValue" and amount(wanted["averageValue"]) >= sum(limits):
            yield "more is wanted of one than it can do"


def there_is_time_to_drain(world):
    """preStop, DRAIN_DEADLINE and the exit fit into the grace period; DRAIN_SPREAD into DRAIN_DEADLINE."""
    wrong = []
    for pod in world.pods():
        for container in pod.containers:
            values = told(world, pod, container)
            if "DRAIN_DEADLINE" not in values:
                continue
            stop = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            needed = stop + seconds(values["DRAIN_DEADLINE"]) + EXIT
            if pod.spec.get("terminationGracePeriodSeconds", 30) < needed:
                wrong.append(f"{pod}: {needed:.0f} s are needed to drain")
            if "DRAIN_SPREAD" in values:
                wrong += _spread(seconds(values["DRAIN_SPREAD"]), seconds(values["DRAIN_DEADLINE"]))
    return wrong


def _spread(spread, deadline):
    fits = spread + GOODBYES <= deadline
    return [] if fits else [f"DRAIN_SPREAD ({spread:.0f} s) does not fit into DRAIN_DEADLINE ({deadline:.0f} s)"]


def updates_take_nobody_away(world):
    return [
        f"{deployment['metadata']['name']}: an update makes it fewer"
        for deployment in world.of("Deployment")
        if deployment["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxUnavailable") != 0
    ]


def the_proxy_is_patient(world):
    """Nothing is cut that is silent for a ping and its answer; polling clients keep their gateway; the proxy is believed."""
    wrong = []
    for ingress in world.of("Ingress"):
        defaults = world.configurations["gateway"].defaults
        silence = seconds(defaults["PING_INTERVAL"]) + seconds(defaults["PING_TIMEOUT"])
        patience = ingress["metadata"]["annotations"].get("haproxy.org/timeout-server", "50s")
        if seconds(patience) <= silence:
            wrong.append(f"Ingress: {patience} is less than a silence of {silence:.0f} s")
        gateway = world.pod("gateway")
        if not told(world, gateway, gateway.containers[0]).get("TRUSTED_PROXIES"):
            wrong.append("Ingress: everybody has the address of the proxy")
        service = world.find("Service", "gateway-sockets")
        if not service["metadata"].get("annotations", {}).get("haproxy.org/cookie-persistence"):
            wrong.append("Ingress: polling clients lose their gateway")
    return wrong


RULES = [
    images_are_pinned,
    resources_are_limited,
    pods_are_restricted,
    nodes_can_be_drained,
    scaling_makes_sense,
    there_is_time_to_drain,
    updates_take_nobody_away,
    the_proxy_is_patient,
]
