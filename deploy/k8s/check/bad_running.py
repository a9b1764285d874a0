"""Bad ways to run, networks and patches: which rule finds each, how it is made, and what the rule says then."""

import network
import patches
import running
from spoiling import config, container, document, open_to, policy, replace, variable, without

BAD = {
    "the latest image": (
        running.images_are_pinned,
        lambda w: container(w, "nats").update(image="nats:latest"),
        "no fixed version",
    ),
    "an image without a version": (
        running.images_are_pinned,
        lambda w: container(w, "nats").update(image="here:5000/nats"),
        "no fixed version",
    ),
    "no limit": (
        running.resources_are_limited,
        lambda w: without(container(w, "gateway")["resources"]["limits"], "memory"),
        "memory",
    ),
    "a limit below the request": (
        running.resources_are_limited,
        lambda w: container(w, "gateway")["resources"]["limits"].update(cpu="100m"),
        "cpu",
    ),
    "root": (
        running.pods_are_restricted,
        lambda w: w.pod("mongodb").spec["securityContext"].update(runAsUser=0),
        "root",
    ),
    "capabilities": (
        running.pods_are_restricted,
        lambda w: without(container(w, "mongodb-initiate")["securityContext"], "capabilities"),
        "capabilities",
    ),
    "a file system to write": (
        running.pods_are_restricted,
        lambda w: container(w, "nats")["securityContext"].update(readOnlyRootFilesystem=False),
        "write",
    ),
    "a folder of the host": (
        running.pods_are_restricted,
        lambda w: replace(w.pod("nats").spec["volumes"], hostPath={"path": "/"}),
        "the volume",
    ),
    "nobody may go": (
        running.nodes_can_be_drained,
        lambda w: document(w, "PodDisruptionBudget", "matcher")["spec"].update(maxUnavailable=0),
        "none of 2",
    ),
    "all have to stay": (
        running.nodes_can_be_drained,
        lambda w: document(w, "PodDisruptionBudget", "gateway").update(
            spec={"minAvailable": 3, "selector": document(w, "PodDisruptionBudget", "gateway")["spec"]["selector"]}
        ),
        "none of 3",
    ),
    "no budget": (
        running.nodes_can_be_drained,
        lambda w: w.documents.remove(document(w, "PodDisruptionBudget", "nats")),
        "0 disruption",
    ),
    "no room to grow": (
        running.scaling_makes_sense,
        lambda w: w.of("HorizontalPodAutoscaler")[0]["spec"].update(maxReplicas=3),
        "no room",
    ),
    "two say how many": (
        running.scaling_makes_sense,
        lambda w: document(w, "Deployment", "gateway")["spec"].update(replicas=3),
        "both say",
    ),
    "shrinks at once": (
        running.scaling_makes_sense,
        lambda w: w.of("HorizontalPodAutoscaler")[0]["spec"]["behavior"]["scaleDown"].update(
            stabilizationWindowSeconds=0
        ),
        "fast",
    ),
    "more than a thread": (
        running.scaling_makes_sense,
        lambda w: w.of("HorizontalPodAutoscaler")[0]["spec"]["metrics"][0]["resource"]["target"].update(
            averageValue="1500m"
        ),
        "more is wanted",
    ),
    "no time to drain": (
        running.there_is_time_to_drain,
        lambda w: w.pod("gateway").spec.update(terminationGracePeriodSeconds=25),
        "30 s",
    ),
    "a longer drain": (
        running.there_is_time_to_drain,
        lambda w: config(w, "common").update(DRAIN_DEADLINE="1m"),
        "65 s",
    ),
    "a drain that is too wide": (
        running.there_is_time_to_drain,
        lambda w: config(w, "gateway").update(DRAIN_SPREAD="15s"),
        "does not fit",
    ),
    "fewer in an update": (
        running.updates_take_nobody_away,
        lambda w: document(w, "Deployment", "gateway")["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1),
        "fewer",
    ),
    "a hasty proxy": (
        running.the_proxy_is_patient,
        lambda w: w.of("Ingress")[0]["metadata"]["annotations"].update({"haproxy.org/timeout-server": "20s"}),
        "20s",
    ),
    "no cookie": (
        running.the_proxy_is_patient,
        lambda w: without(document(w, "Service", "gateway-sockets")["metadata"], "annotations"),
        "lose",
    ),
    "a proxy that nobody believes": (
        running.the_proxy_is_patient,
        lambda w: without(config(w, "gateway"), "TRUSTED_PROXIES"),
        "address of the proxy",
    ),
    "nothing is refused": (
        network.everything_is_refused_by_default,
        lambda w: w.documents.remove(document(w, "NetworkPolicy", "nothing-by-default")),
        "refuses",
    ),
    "a way that is missing": (
        network.what_has_to_be_reached_is,
        lambda w: w.documents.remove(document(w, "NetworkPolicy", "bus")),
        "cannot reach nats",
    ),
    "a way that is closed at the end": (
        network.what_has_to_be_reached_is,
        lambda w: policy(w, "mongodb").update(ingress=[]),
        "cannot reach mongodb",
    ),
    "the gateway is let out": (
        network.the_gateway_does_not_reach_the_database,
        lambda w: open_to(w, "database", "gateway"),
        "out to MongoDB",
    ),
    "the gateway is let out to all": (
        network.the_gateway_does_not_reach_the_database,
        lambda w: policy(w, "bus").update(egress=[{}]),
        "out to MongoDB",
    ),
    "the gateway is let in": (
        network.the_gateway_does_not_reach_the_database,
        lambda w: policy(w, "mongodb").update(ingress=[{}]),
        "in to MongoDB",
    ),
    "a policy for no port": (
        network.ports_of_policies_are_there,
        lambda w: replace(policy(w, "people")["ingress"], ports=[{"port": "web"}]),
        "no port web",
    ),
    "a policy for nobody": (
        network.selectors_of_peers_select_somebody,
        lambda w: replace(policy(w, "bus")["egress"], to=[{"podSelector": {"matchLabels": {"app": "bus"}}}]),
        "not there",
    ),
    "a patch that did nothing": (
        patches.patches_took_effect,
        lambda w: document(w, "StatefulSet", "mongodb")["spec"].update(replicas=1),
        "replicas is 1",
    ),
    "a patch of a list that did nothing": (
        patches.patches_took_effect,
        lambda w: variable(w, "mongodb", "MONGODB_OPTIONS").update(value=""),
        "containers is not",
    ),
    "a value that was lost": (
        patches.generated_values_are_there,
        lambda w: config(w, "common").update(NATS_URL="nats://nats:4222"),
        "NATS_URL",
    ),
    "a file that was lost": (
        patches.generated_values_are_there,
        lambda w: config(w, "mongodb").update({"mongod.conf": ""}),
        "mongod.conf",
    ),
    "an image that was not chosen": (
        patches.images_are_the_chosen_ones,
        lambda w: container(w, "gateway").update(image="talk-to-me/gateway:old"),
        "no image",
    ),
}
