"""Rules about environment variables, against what `--help` of each service says that it can be told."""

import re
import subprocess
from collections import Counter
from dataclasses import dataclass

from world import SERVICES

VARIABLE = re.compile(r"\[env: ([A-Z][A-Z0-9_]*)")
OPTION = re.compile(r"^\s+(?:-\w, )?(--[a-z0-9-]+)", re.MULTILINE)
EXPANSION = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
# Read by the tracing library itself.
STANDARD = ("OTEL_",)


@dataclass
class Configuration:
    """The variables that a service knows, those that it cannot start without, and the defaults."""

    known: set
    required: set
    defaults: dict


def configuration(command):
    """Asks a service, which a command starts, what it can be told."""
    text = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    usage = re.search(r"^Usage:.*$", text, re.MULTILINE).group()
    known, required, defaults = set(), set(), {}
    for block in re.split(r"\n(?=\s+(?:-\w, )?--)", text):
        variable, option = VARIABLE.search(block), OPTION.search("\n" + block)
        if not variable or not option:
            continue
        known.add(variable.group(1))
        default = re.search(r"\[default: (.*?)\]", block)
        if default:
            defaults[variable.group(1)] = default.group(1)
        if re.search(rf"{option.group(1)}[ <]", usage):
            required.add(variable.group(1))
    return Configuration(known, required, defaults)


def told(world, pod, container):
    """Variable to value of a container; the value is None where it comes from a Secret or from the cluster."""
    values = {}
    for entry in container.get("envFrom", []):
        values |= world.config_map(entry.get("configMapRef", {}).get("name")) or {}
    return values | {variable["name"]: variable.get("value") for variable in container.get("env", [])}


def _services(world):
    for pod in world.pods():
        if pod.name in SERVICES:
            yield pod, pod.containers[0], world.configurations[pod.name]


def variables_are_known(world):
    wrong = []
    for pod, container, config in _services(world):
        values = told(world, pod, container)
        used = {name for value in values.values() if value for name in EXPANSION.findall(value)}
        unknown = set(values) - config.known - used
        wrong += [f"{pod} knows nothing of {name}" for name in sorted(unknown) if not name.startswith(STANDARD)]
    return wrong


def required_variables_are_set(world):
    return [
        f"{pod} does not start without {name}"
        for pod, container, config in _services(world)
        for name in sorted(config.required - set(told(world, pod, container)))
    ]


def expansions_are_defined_before(world):
    """$(NAME) is taken from what stands before it in `env`; not from `envFrom`, and not from what comes later."""
    wrong = []
    for pod in world.pods():
        for container in pod.containers:
            before = set()
            for variable in container.get("env", []):
                missing = set(EXPANSION.findall(variable.get("value") or "")) - before
                wrong += [f"{pod}: {variable['name']} uses {name}, which is not defined before it" for name in missing]
                before.add(variable["name"])
            in_command = {name for part in container.get("command", []) for name in EXPANSION.findall(part)}
            wrong += [f"{pod}: the command uses {name}" for name in in_command - before]
    return wrong


def names_are_there_once(world):
    """Two containers of one name are refused, and of two variables of one name the second holds, with a warning."""
    wrong = []
    for pod in world.pods():
        containers = Counter(container["name"] for container in pod.containers)
        wrong += [f"{pod}: two containers are called {name}" for name, n in containers.items() if n > 1]
        for container in pod.containers:
            variables = Counter(variable["name"] for variable in container.get("env", []))
            wrong += [f"{pod}: {name} is there twice" for name, n in variables.items() if n > 1]
    return wrong


def nobody_is_told_of_services_by_variables(world):
    return [f"{pod} has enableServiceLinks" for pod in world.pods() if pod.spec.get("enableServiceLinks") is not False]


RULES = [
    variables_are_known,
    required_variables_are_set,
    expansions_are_defined_before,
    names_are_there_once,
    nobody_is_told_of_services_by_variables,
]
