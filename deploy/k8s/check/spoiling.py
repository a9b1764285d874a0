"""How the tests of the rules make one thing in a good overlay bad."""


def container(world, name, number=0):
    return world.pod(name).containers[number]


def document(world, kind, name):
    return world.find(kind, name)


def rename(thing, name):
    thing["metadata"]["name"] = name


def replace(things, **values):
    things[0].update(values)


def variable(world, pod, name):
    return next(v for v in container(world, pod)["env"] if v["name"] == name)


def config(world, name):
    return next(m["data"] for m in world.of("ConfigMap") if m["metadata"]["name"].startswith(f"{name}-"))


def without(thing, key):
    del thing[key]


def policy(world, name):
    return document(world, "NetworkPolicy", name)["spec"]


def swap(things, one, other):
    things[one], things[other] = things[other], things[one]


def open_to(world, name, value):
    policy(world, name)["podSelector"]["matchExpressions"][0]["values"].append(value)


HEALTH = {"name": "health", "containerPort": 9100}
LONG = "a-name-of-more-than-15"
CA = {"name": "x", "mountPath": "/etc/nats-ca"}
