"""Rules about an overlay's own files: that each thing that it says can be seen in what it renders to."""

import yaml
from world import K8S, documents, rendered


def _folders(folder):
    """A folder with a kustomization, and the components that it takes."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    yield folder, kustomization
    for component in kustomization.get("components", []):
        yield from _folders((folder / component).resolve())


def _mine(world):
    return _folders(K8S / "overlays" / world.overlay)


def _patches(folder, kustomization):
    for patch in kustomization.get("patches", []):
        text = (folder / patch["path"]).read_text() if "path" in patch else patch["patch"]
        for document in documents(text):
            yield document, patch.get("target")


def _identity(document):
    return document["kind"], document["metadata"]["name"]


def patches_have_a_target(world):
    wrong = []
    before = set()
    for folder, kustomization in _mine(world):
        for resource in kustomization.get("resources", []):
            path = (folder / resource).resolve()
            text = path.read_text() if path.is_file() else rendered(path.relative_to(K8S))
            before |= {_identity(document) for document in documents(text)}
    for folder, kustomization in _mine(world):
        for document, target in _patches(folder, kustomization):
            wanted = (target["kind"], target["name"]) if target else _identity(document)
            if wanted not in before:
                wrong.append(f"a patch is for {' '.join(wanted)}, which is not there")
    return wrong


def patches_took_effect(world):
    wrong = []
    for folder, kustomization in _mine(world):
        for document, _ in _patches(folder, kustomization):
            found = world.find(*_identity(document))
            if (document.get("$patch") == "delete") == (found is not None):
                wrong.append(f"a patch of {' '.join(_identity(document))} did nothing")
            elif found:
                wrong += [f"{' '.join(_identity(document))}: {gap}" for gap in _gaps(document, found, "")]
    return wrong


def _gaps(wanted, found, path):
    """Where what a patch says is not in what came out."""
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            if key != "$patch":
                yield from _gaps(value, found.get(key) if isinstance(found, dict) else None, f"{path}.{key}")
    elif isinstance(wanted, list):
        for item in wanted:
            gone = isinstance(item, dict) and item.get("$patch") == "delete"
            fits = [other for other in found or [] if not list(_gaps(item, other, ""))]
            if bool(fits) == gone:
                yield f"{path} is not as the patch says"
    elif wanted != found:
        yield f"{path} is {found!r} and not {wanted!r}"


def generated_values_are_there(world):
    wrong = []
    # What an overlay says holds before what its components say.
    overridden = set()
    for folder, kustomization in _mine(world):
        for generator in kustomization.get("configMapGenerator", []):
            for literal in generator.get("literals", []):
                key, value = literal.split("=", 1)
                values = [m["data"].get(key) for m in _generated(world, generator["name"])]
                if (generator["name"], key) not in overridden and value not in values:
                    wrong.append(f"ConfigMap {generator['name']}: {key} is not {value}")
                overridden.add((generator["name"], key))
            for file in generator.get("files", []):
                text = (folder / file).read_text()
                if not any(m["data"].get(file) == text for m in _generated(world, generator["name"])):
                    wrong.append(f"ConfigMap {generator['name']}: another {file}")
    return wrong


def _generated(world, name):
    return [m for m in world.of("ConfigMap") if m["metadata"]["name"].rpartition("-")[0] == name]


def images_are_the_chosen_ones(world):
    used = {container["image"] for pod in world.pods() for container in pod.containers}
    chosen = [image for _, kustomization in _mine(world) for image in kustomization.get("images", [])]
    names = [f"{image.get('newName', image['name'])}:{image['newTag']}" for image in chosen]
    return [f"no image {name}" for name in names if name not in used]


RULES = [patches_have_a_target, patches_took_effect, generated_values_are_there, images_are_the_chosen_ones]
