"""Bad names, references and variables: which rule finds each, how it is made, and what the rule says then."""

import environment
import names
import references
from spoiling import CA, HEALTH, LONG, config, container, document, rename, replace, swap, variable, without

BAD = {
    "a name in capitals": (
        names.names_are_valid_and_unique,
        lambda w: rename(w.of("Service")[0], "Gateway"),
        "Gateway",
    ),
    "two of one name": (names.names_are_valid_and_unique, lambda w: w.documents.append(w.of("Service")[0]), "2 times"),
    "a label with a blank": (names.labels_are_valid, lambda w: w.pod("nats").labels.update(a="b c"), "b c"),
    "no namespace": (names.namespaces_exist, lambda w: w.documents.remove(w.of("Namespace")[0]), "not there"),
    "a Service of nobody": (
        names.selectors_select_their_pods,
        lambda w: document(w, "Service", "gateway")["spec"].update(selector={"app": "x"}),
        "selects nothing",
    ),
    "pods of another label": (
        names.selectors_select_their_pods,
        lambda w: w.pod("matcher").labels.clear(),
        "its own pods",
    ),
    "a long port name": (
        names.port_names_are_valid_and_unique,
        lambda w: replace(container(w, "nats")["ports"], name=LONG),
        LONG,
    ),
    "a port name twice": (
        names.port_names_are_valid_and_unique,
        lambda w: container(w, "matcher")["ports"].append(HEALTH),
        "health",
    ),
    "a probe of no port": (
        names.probes_ask_one_thing_at_a_port_that_is_there,
        lambda w: container(w, "gateway")["readinessProbe"]["httpGet"].update(port="ready"),
        "asks at ready",
    ),
    "a probe of two things": (
        names.probes_ask_one_thing_at_a_port_that_is_there,
        lambda w: container(w, "gateway")["readinessProbe"].update(tcpSocket={"port": "http"}),
        "2 handlers",
    ),
    "no probe": (
        names.probes_ask_one_thing_at_a_port_that_is_there,
        lambda w: without(container(w, "matcher"), "livenessProbe"),
        "missing",
    ),
    "a Service to no port": (
        names.service_ports_lead_to_pods,
        lambda w: replace(document(w, "Service", "gateway")["spec"]["ports"], targetPort="web"),
        "no port web",
    ),
    "an Ingress to no port": (
        names.ingress_leads_to_a_service,
        lambda w: replace(document(w, "Service", "gateway")["spec"]["ports"], name="web"),
        "no port http",
    ),
    "an Ingress without TLS": (
        names.ingress_leads_to_a_service,
        lambda w: document(w, "Ingress", "gateway")["spec"].update(tls=[]),
        "no TLS",
    ),
    "a set without its Service": (
        names.stateful_sets_have_a_headless_service,
        lambda w: document(w, "StatefulSet", "nats")["spec"].update(serviceName="nats"),
        "no headless",
    ),
    "a scaler of nothing": (
        names.scalers_have_a_target,
        lambda w: rename(document(w, "Deployment", "gateway"), "door"),
        "no gateway",
    ),
    "no such Secret": (
        references.config_maps_and_secrets_are_there,
        lambda w: without(w.secrets, "nats-passwords"),
        "no Secret nats-passwords",
    ),
    "no such key": (
        references.config_maps_and_secrets_are_there,
        lambda w: w.secrets["mongodb-tls"].clear(),
        "has no ca.crt",
    ),
    "no such ConfigMap": (
        references.config_maps_and_secrets_are_there,
        lambda w: rename(w.of("ConfigMap")[0], "other"),
        "no ConfigMap",
    ),
    "no certificate": (
        references.ingress_certificates_are_declared,
        lambda w: without(w.secrets, "gateway-certificate"),
        "gateway-certificate",
    ),
    "an account that is not there": (
        references.accounts_are_there_and_have_no_token,
        lambda w: w.pod("nats").spec.update(serviceAccountName="root"),
        "no ServiceAccount root",
    ),
    "a token": (
        references.accounts_are_there_and_have_no_token,
        lambda w: w.pod("nats").spec.update(automountServiceAccountToken=True),
        "takes a token",
    ),
    "a mount of nothing": (
        references.volumes_and_mounts_fit,
        lambda w: container(w, "gateway")["volumeMounts"].append({"name": "x", "mountPath": "/x"}),
        "no volume x",
    ),
    "a volume for nobody": (
        references.volumes_and_mounts_fit,
        lambda w: container(w, "gateway").update(volumeMounts=[]),
        "nobody mounts nats-ca",
    ),
    "two mounts at one place": (
        references.volumes_and_mounts_fit,
        lambda w: container(w, "gateway")["volumeMounts"].append(CA),
        "at one place",
    ),
    "a server fewer": (
        references.addresses_name_servers_that_are_there,
        lambda w: document(w, "StatefulSet", "nats")["spec"].update(replicas=2),
        "not the pods of nats",
    ),
    "a server nobody knows": (
        references.addresses_name_servers_that_are_there,
        lambda w: config(w, "common").update(NATS_URL="tls://bus:4222"),
        "nobody is called bus",
    ),
    "a variable nobody knows": (
        environment.variables_are_known,
        lambda w: config(w, "matcher").update(MATCH_INTERVALL="3s"),
        "MATCH_INTERVALL",
    ),
    "no key": (
        environment.required_variables_are_set,
        lambda w: variable(w, "gateway", "SECRET_KEY").update(name="SECRET"),
        "SECRET_KEY",
    ),
    "a variable before what it uses": (
        environment.expansions_are_defined_before,
        lambda w: swap(container(w, "matcher")["env"], 0, 1),
        "not defined before",
    ),
    "a variable twice": (
        environment.names_are_there_once,
        lambda w: container(w, "matcher")["env"].append(container(w, "matcher")["env"][0]),
        "is there twice",
    ),
    "links to services": (
        environment.nobody_is_told_of_services_by_variables,
        lambda w: without(w.pod("gateway").spec, "enableServiceLinks"),
        "enableServiceLinks",
    ),
}
