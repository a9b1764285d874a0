"""Rules about the network policies: who may reach whom, by the same evaluation as in a cluster."""

from world import matches

NAMESPACE = "kubernetes.io/metadata.name"


def _policies(world, pod, direction):
    return [
        policy["spec"]
        for policy in world.of("NetworkPolicy")
        if direction in policy["spec"]["policyTypes"] and matches(policy["spec"]["podSelector"], pod.labels)
    ]


def _port(entry, number, opener):
    """Whether an entry of a policy is about this port; a name is one of whoever opens it."""
    named = opener.ports() if opener else {}
    return (
        any(named.get(port["port"], port["port"]) == number for port in entry.get("ports", [])) or "ports" not in entry
    )


def _peer(peer, pod):
    if "namespaceSelector" in peer and not matches(peer["namespaceSelector"], {NAMESPACE: pod.namespace}):
        return False
    return "ipBlock" not in peer and matches(peer.get("podSelector", {}), pod.labels)


def leaves(world, pod, target, number):
    """Whether a pod may open a connection to this port of another, or of anything at all if that is None."""
    policies = _policies(world, pod, "Egress")
    return not policies or any(
        _port(rule, number, target) and any(_reaches(peer, target) for peer in rule.get("to", [{}]))
        for policy in policies
        for rule in policy.get("egress", [])
    )


def _reaches(peer, target):
    # An address may be anybody's.
    return "ipBlock" in peer or (target is not None and _peer(peer, target)) or not peer


def enters(world, pod, source, number):
    """Whether another pod may open a connection to this port."""
    policies = _policies(world, pod, "Ingress")
    return not policies or any(
        _port(rule, number, pod) and any(_peer(peer, source) for peer in rule.get("from", [{}]))
        for policy in policies
        for rule in policy.get("ingress", [])
    )


def everything_is_refused_by_default(world):
    for policy in world.of("NetworkPolicy"):
        spec = policy["spec"]
        if spec["podSelector"] == {} and set(spec["policyTypes"]) == {"Ingress", "Egress"}:
            return [] if not spec.get("ingress") and not spec.get("egress") else ["the default lets through"]
    return ["no policy refuses by default"]


# Who has to reach whom, where both are there.
FLOWS = [
    ("gateway", "nats", 4222),
    ("matcher", "nats", 4222),
    ("chat-store", "nats", 4222),
    ("matcher", "mongodb", 27017),
    ("chat-store", "mongodb", 27017),
    ("mongodb-initiate", "mongodb", 27017),
    ("mongodb", "mongodb", 27017),
    ("nats", "nats", 6222),
]


def what_has_to_be_reached_is(world):
    wrong = []
    for source, target, number in FLOWS:
        pod, server = world.pod(source), world.pod(target)
        if pod and server and not (leaves(world, pod, server, number) and enters(world, server, pod, number)):
            wrong.append(f"{source} cannot reach {target}:{number}")
        if pod and not server and not leaves(world, pod, None, number):
            wrong.append(f"{source} cannot reach a {target} elsewhere")
    return wrong


def the_gateway_does_not_reach_the_database(world):
    gateway, mongodb = world.pod("gateway"), world.pod("mongodb")
    wrong = ["a policy lets the gateway out to MongoDB"] if leaves(world, gateway, mongodb, 27017) else []
    if mongodb and enters(world, mongodb, gateway, 27017):
        wrong.append("a policy lets the gateway in to MongoDB")
    return wrong


def ports_of_policies_are_there(world):
    wrong = []
    for policy in world.of("NetworkPolicy"):
        pods = world.selected(policy["spec"]["podSelector"])
        for rule in policy["spec"].get("ingress", []):
            for port in rule.get("ports", []):
                # The servers' policy knows of the port of a cluster also where there is one server.
                there = all(port["port"] in {*pod.ports(), *pod.ports().values(), 6222} for pod in pods)
                if not there:
                    wrong.append(f"NetworkPolicy {policy['metadata']['name']}: no port {port['port']}")
    return wrong


def selectors_of_peers_select_somebody(world):
    wrong = []
    for policy in world.of("NetworkPolicy"):
        rules = policy["spec"].get("ingress", []) + policy["spec"].get("egress", [])
        for peer in [peer for rule in rules for peer in rule.get("from", []) + rule.get("to", [])]:
            if "namespaceSelector" not in peer and "podSelector" in peer and not world.selected(peer["podSelector"]):
                wrong.append(f"NetworkPolicy {policy['metadata']['name']}: a peer that is not there")
    return wrong


RULES = [
    everything_is_refused_by_default,
    what_has_to_be_reached_is,
    the_gateway_does_not_reach_the_database,
    ports_of_policies_are_there,
    selectors_of_peers_select_somebody,
]
