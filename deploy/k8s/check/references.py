"""Rules about what pods take from elsewhere: ConfigMaps, Secrets, accounts, volumes, other servers' addresses."""

import re


def config_maps_and_secrets_are_there(world):
    wrong = []
    for pod in world.pods():
        for source in _sources(pod):
            keys = _keys(world, source)
            if keys is None:
                wrong.append(f"{pod}: no {source['kind']} {source['name']}")
            elif source["key"] is not None and source["key"] not in keys and not source["optional"]:
                wrong.append(f"{pod}: {source['kind']} {source['name']} has no {source['key']}")
    return wrong


def _keys(world, source):
    return world.secret(source["name"]) if source["kind"] == "Secret" else world.config_map(source["name"])


def _sources(pod):
    for container in pod.containers:
        for entry in container.get("envFrom", []):
            yield from _named(entry, ("configMapRef", "secretRef"))
        for entry in container.get("env", []):
            yield from _named(entry.get("valueFrom", {}), ("configMapKeyRef", "secretKeyRef"))
    for volume in pod.spec.get("volumes", []):
        for part in [volume, *volume.get("projected", {}).get("sources", [])]:
            yield from _mounted(part)


def _named(entry, kinds):
    for field in kinds:
        if field in entry:
            reference = entry[field]
            kind = "Secret" if field.startswith("secret") else "ConfigMap"
            yield {
                "kind": kind,
                "name": reference["name"],
                "key": reference.get("key"),
                "optional": reference.get("optional"),
            }


def _mounted(part):
    for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if field in part:
            name = part[field].get("secretName") or part[field]["name"]
            for key in [item["key"] for item in part[field].get("items", [])] or [None]:
                yield {"kind": kind, "name": name, "key": key, "optional": part[field].get("optional")}


def ingress_certificates_are_declared(world):
    return [
        f"Ingress {ingress['metadata']['name']}: no Secret {tls['secretName']} with tls.crt and tls.key"
        for ingress in world.of("Ingress")
        for tls in ingress["spec"].get("tls", [])
        if not {"tls.crt", "tls.key"} <= (world.secret(tls["secretName"]) or set())
    ]


def accounts_are_there_and_have_no_token(world):
    wrong = []
    for pod in world.pods():
        account = world.find("ServiceAccount", pod.spec.get("serviceAccountName", "default"))
        if account is None:
            wrong.append(f"{pod}: no ServiceAccount {pod.spec.get('serviceAccountName')}")
        elif account.get("automountServiceAccountToken") is not False:
            wrong.append(f"ServiceAccount {account['metadata']['name']} hands out its token")
        if pod.spec.get("automountServiceAccountToken") is not False:
            wrong.append(f"{pod} takes a token")
    return wrong


def volumes_and_mounts_fit(world):
    wrong = []
    for pod in world.pods():
        claims = [claim["metadata"]["name"] for claim in pod.document["spec"].get("volumeClaimTemplates", [])]
        volumes = [volume["name"] for volume in pod.spec.get("volumes", [])] + claims
        mounts = [mount["name"] for c in pod.containers for mount in c.get("volumeMounts", [])]
        wrong += [f"{pod}: no volume {name}" for name in set(mounts) - set(volumes)]
        wrong += [f"{pod}: nobody mounts {name}" for name in set(volumes) - set(mounts)]
        if len(volumes) != len(set(volumes)):
            wrong.append(f"{pod}: two volumes of one name")
        for container in pod.containers:
            paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
            if len(paths) != len(set(paths)):
                wrong.append(f"{pod}: two mounts at one place")
        wrong += [
            f"{pod}: no PersistentVolumeClaim {volume['persistentVolumeClaim']['claimName']}"
            for volume in pod.spec.get("volumes", [])
            if "persistentVolumeClaim" in volume
            and not world.find("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
        ]
    return wrong


HOST = re.compile(r"[a-z0-9][-a-z0-9.]*(?=:\d+)")


def addresses_name_servers_that_are_there(world):
    """NATS_URL, MONGODB_URI and MONGODB_MEMBERS name a Service, each pod of a StatefulSet, or a name with a domain."""
    wrong = []
    for where, text in _addresses(world):
        hosts = HOST.findall(re.sub(r"//[^/@]*@", "//", text))
        direct = "directConnection=true" in text
        wrong += [f"{where}: {problem}" for problem in _unknown(world, hosts, direct)]
    return wrong


def _addresses(world):
    for config_map in world.of("ConfigMap"):
        if "NATS_URL" in config_map.get("data", {}):
            yield "NATS_URL", config_map["data"]["NATS_URL"]
    for pod in world.pods():
        for container in pod.containers:
            for variable in container.get("env", []):
                if variable["name"] in ("MONGODB_URI", "MONGODB_MEMBERS") and "value" in variable:
                    yield f"{pod}: {variable['name']}", variable["value"]


def _unknown(world, hosts, direct):
    sets = {}
    for host in hosts:
        pod, _, service = host.partition(".")
        stateful = next((d for d in world.of("StatefulSet") if d["spec"]["serviceName"] == service), None)
        if stateful:
            sets.setdefault(stateful["metadata"]["name"], (stateful, []))[1].append(pod)
        elif ("." in host or not world.find("Service", host)) and host.count(".") < 2:
            yield f"nobody is called {host}"
    for name, (stateful, pods) in sets.items():
        all_of_them = [f"{name}-{number}" for number in range(stateful["spec"]["replicas"])]
        if pods != all_of_them and not (direct and pods == all_of_them[:1]):
            yield f"{pods} are not the pods of {name}: {all_of_them}"


RULES = [
    config_maps_and_secrets_are_there,
    ingress_certificates_are_declared,
    accounts_are_there_and_have_no_token,
    volumes_and_mounts_fit,
    addresses_name_servers_that_are_there,
]
