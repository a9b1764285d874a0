"""What an overlay renders to, with what the rules ask about it.

A rule (references.py, network.py, …) is a function that takes a World and returns a list of sentences, one for each
thing that is wrong. `kubectl` has to be in the PATH.
"""

import copy
import functools
import pathlib
import subprocess
from dataclasses import dataclass

import yaml

K8S = pathlib.Path(__file__).resolve().parent.parent
OVERLAYS = sorted(path.name for path in (K8S / "overlays").iterdir())
SERVICES = ("gateway", "matcher", "chat-store")


@functools.cache
def rendered(folder):
    """The text that kustomize makes of a folder below deploy/k8s."""
    done = subprocess.run(["kubectl", "kustomize", str(K8S / folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


@functools.cache
def _parsed(text):
    return [document for document in yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if document]


def documents(text):
    """The documents of a YAML text, without empty ones; one's own copies."""
    return copy.deepcopy(_parsed(text))


@dataclass
class Pod:
    """A kind of pod: what a Deployment, StatefulSet or Job makes."""

    document: dict
    template: dict

    @property
    def kind(self):
        return self.document["kind"]

    @property
    def name(self):
        return self.document["metadata"]["name"]

    @property
    def namespace(self):
        return self.document["metadata"].get("namespace", "default")

    @property
    def labels(self):
        return self.template["metadata"].get("labels", {})

    @property
    def spec(self):
        return self.template["spec"]

    @property
    def containers(self):
        return self.spec.get("initContainers", []) + self.spec["containers"]

    def ports(self):
        """Name to number of every port that a container opens."""
        return {port["name"]: port["containerPort"] for c in self.containers for port in c.get("ports", [])}

    def __str__(self):
        return f"{self.kind} {self.name}"


class World:
    """The documents of one overlay; which Secrets come from elsewhere; what each service can be told."""

    def __init__(self, docs, secrets, configurations, overlay=None):
        self.documents = docs
        self.secrets = secrets
        self.configurations = configurations
        self.overlay = overlay

    def of(self, *kinds):
        return [document for document in self.documents if document["kind"] in kinds]

    def find(self, kind, name):
        return next((d for d in self.of(kind) if d["metadata"]["name"] == name), None)

    def pods(self):
        return [Pod(d, d["spec"]["template"]) for d in self.of("Deployment", "StatefulSet", "Job")]

    def pod(self, name):
        return next((pod for pod in self.pods() if pod.name == name), None)

    def selected(self, selector):
        """The pods that a label selector selects."""
        return [pod for pod in self.pods() if matches(selector, pod.labels)]

    def config_map(self, name):
        found = self.find("ConfigMap", name)
        return found and {**found.get("data", {}), **found.get("binaryData", {})}

    def secret(self, name):
        """The keys of a Secret of the overlay's own or from elsewhere; None where there is none."""
        found = self.find("Secret", name)
        return set(found.get("data", {})) | set(found.get("stringData", {})) if found else self.secrets.get(name)

    def replicas(self, pod):
        """How many there are at least."""
        for scaler in self.of("HorizontalPodAutoscaler"):
            target = scaler["spec"]["scaleTargetRef"]
            if (target["kind"], target["name"]) == (pod.kind, pod.name):
                return scaler["spec"]["minReplicas"]
        return pod.document["spec"].get("replicas", 1)


def matches(selector, labels):
    """Whether a LabelSelector, or the plain map of a Service, selects these labels."""
    if selector and not {"matchLabels", "matchExpressions"} & selector.keys():
        selector = {"matchLabels": selector}
    plain = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return plain and all(_expression(e, labels) for e in selector.get("matchExpressions", []))


def _expression(expression, labels):
    value, values = labels.get(expression["key"]), expression.get("values")
    return {
        "In": lambda: value in values,
        "NotIn": lambda: value not in values,
        "Exists": lambda: value is not None,
        "DoesNotExist": lambda: value is None,
    }[expression["operator"]]()
