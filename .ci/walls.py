#!/usr/bin/env python3
"""Checks the walls between the files of our crates: no import circles, and the methods of a type in one or two files.

usage: .ci/walls.py [CRATE_FOLDER ...]     (default: gateway matcher chat-store proto)

Prints a line for each violation and exits with 1 if there is one. A path counts as an import wherever it stands
(`use` or inline), and a re-export counts as the file that it leads to. A file and the folder that it is in may name
each other. Code of tests is left out.
"""

import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

CRATES = ["gateway", "matcher", "chat-store", "proto"]
# One for the type and one for what has to be apart, for instance its conversions.
FILES_OF_METHODS = 2

TOKEN = re.compile(
    r"""//[^\n]* | /\*.*?\*/                                # comments
      | b?r(?P<hash>\#*)".*?"(?P=hash) | [bc]?"(?:\\.|[^"\\])*"   # strings
      | b?'(?:\\[^']+|[^'\\\n])'                            # characters
      | (?P<code> '\w+ | r\#\w+ | \w+ | :: | -> | => | \S)""",
    re.VERBOSE | re.DOTALL,
)
OPEN, CLOSE = set("([{"), set(")]}")
DEFINES = {"struct", "enum", "union", "trait", "type", "fn", "const", "static", "mod"}

Module = tuple[str, ...]


@dataclass
class File:
    """What the check needs to know of one file."""

    path: Path
    tokens: list[str]
    defined: set[str] = field(default_factory=set)
    imports: dict[str, list[str]] = field(default_factory=dict)
    globs: list[list[str]] = field(default_factory=list)
    paths: list[list[str]] = field(default_factory=list)


def tokens_of(text: str) -> list[str]:
    return [match["code"].removeprefix("r#") for match in TOKEN.finditer(text) if match["code"]]


def end_of_group(tokens: list[str], start: int) -> int:
    """The index behind the bracket that closes the one at `start`."""
    depth = 0
    for index in range(start, len(tokens)):
        depth += (tokens[index] in OPEN) - (tokens[index] in CLOSE)
        if depth == 0:
            return index + 1
    return len(tokens)


def end_of_item(tokens: list[str], start: int) -> int:
    """The index behind the item at `start`: behind its semicolon or its body, whichever comes first."""
    index = start
    while index < len(tokens) and tokens[index] != ";":
        if tokens[index] in OPEN:
            body = tokens[index] == "{"
            index = end_of_group(tokens, index)
            if body:
                return index
        else:
            index += 1
    return index + 1


def without_tests(tokens: list[str]) -> tuple[list[str], set[str]]:
    """The tokens without items under `#[cfg(test)]`, and the names of the modules among those."""
    kept, modules, index = [], set(), 0
    while index < len(tokens):
        if tokens[index : index + 3] != ["#", "[", "cfg"]:
            kept.append(tokens[index])
            index += 1
            continue
        end = end_of_group(tokens, index + 1)
        if "test" not in tokens[index:end] or "not" in tokens[index:end]:
            kept += tokens[index:end]
            index = end
            continue
        item_end = end_of_item(tokens, end)
        item = tokens[end:item_end]
        if "mod" in item:
            modules.add(item[item.index("mod") + 1])
        index = item_end
    return kept, modules


def use_tree(tokens: list[str], index: int, prefix: list[str]) -> tuple[list[tuple[list[str], str]], int]:
    """All (path, name) pairs of the use tree at `index`, and the index behind it. The name of a glob is `*`."""
    path, found = list(prefix), []
    while index < len(tokens):
        token = tokens[index]
        if token == "{":
            index += 1
            while tokens[index] != "}":
                more, index = use_tree(tokens, index, path)
                found += more
                index += tokens[index] == ","
            return found, index + 1
        if token == "*":
            return [(path, "*")], index + 1
        if token == "as":
            return [(path, tokens[index + 1])], index + 2
        if token in (",", "}", ";"):
            break
        # `{self}` names the module itself.
        if token != "::" and not (token == "self" and path):
            path.append(token)
        index += 1
    return [(path, path[-1])], index


def read(path: Path) -> tuple[File, set[str]]:
    tokens, test_modules = without_tests(tokens_of(path.read_text()))
    file = File(path, tokens)
    index = 0
    while index < len(tokens):
        token = tokens[index]
        # Not `+ use<T>`.
        if token == "use" and tokens[index + 1] != "<":
            pairs, index = use_tree(tokens, index + 1, [])
            for target, name in pairs:
                file.paths.append(target)
                if name == "*":
                    file.globs.append(target)
                else:
                    file.imports[name] = target
            continue
        if token in ("crate", "super", "self") and tokens[index + 1 : index + 2] == ["::"]:
            inline, end = [token], index + 1
            while tokens[end : end + 1] == ["::"] and re.match(r"\w", tokens[end + 1]):
                inline.append(tokens[end + 1])
                end += 2
            file.paths.append(inline)
            index = end
            continue
        if token in DEFINES and re.match(r"\w", tokens[index + 1]):
            file.defined.add(tokens[index + 1])
        index += 1
    return file, test_modules


def module_of(path: Path, src: Path) -> Module:
    parts = path.relative_to(src).with_suffix("").parts
    return parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts


class Crate:
    """The files of a crate by module, without those of tests and without `main.rs` beside a `lib.rs`."""

    def __init__(self, folder: Path):
        src = folder / "src"
        self.name = folder.name
        self.files: dict[Module, File] = {}
        tests: set[Module] = set()
        for path in sorted(src.rglob("*.rs")):
            if path == src / "main.rs" and (src / "lib.rs").exists():
                continue
            module = module_of(path, src)
            self.files[module], test_modules = read(path)
            tests |= {(*module, name) for name in test_modules}
        for module in [module for module in self.files if any(module[: len(test)] == test for test in tests)]:
            del self.files[module]

    def resolve(self, module: Module, path: list[str], seen: frozenset = frozenset()) -> Module | None:
        """The module whose file a path in `module` leads to; none for other crates."""
        key = (module, tuple(path))
        if key in seen or not path:
            return None
        seen |= {key}
        first, rest = path[0], path[1:]
        if first == "crate":
            return self.descend((), rest, seen)
        if first == "self":
            return self.descend(module, rest, seen)
        if first == "super":
            return self.descend(module[:-1], rest, seen) if rest[:1] != ["super"] else self.resolve(module[:-1], rest, seen)
        if (*module, first) in self.files:
            return self.descend(module, path, seen)
        return None

    def descend(self, module: Module, path: list[str], seen: frozenset) -> Module | None:
        for index, name in enumerate(path):
            if name == "super":
                module = module[:-1]
            elif (*module, name) in self.files:
                module = (*module, name)
            else:
                return self.exported(module, name, path[index + 1 :], seen) or module
        return module

    def exported(self, module: Module, name: str, rest: list[str], seen: frozenset) -> Module | None:
        """Where `name` comes from, if the file of `module` only passes it on."""
        file = self.files.get(module)
        if file is None or name in file.defined:
            return None
        if name in file.imports:
            return self.resolve(module, file.imports[name] + rest, seen)
        for target in file.globs:
            found = self.resolve(module, [*target, name, *rest], seen)
            if found is not None and found in self.files and name in self.files[found].defined:
                return found
        return None

    def imports(self) -> dict[Module, set[Module]]:
        """Which modules each module imports; not its own folders, nor what is below it."""
        graph: dict[Module, set[Module]] = {module: set() for module in self.files}
        for module, file in self.files.items():
            for path in file.paths:
                target = self.resolve(module, path)
                if target in self.files and not related(module, target):
                    graph[module].add(target)
        return graph

    def methods(self) -> dict[tuple[Module, str], set[Module]]:
        """The modules with inherent methods of each type, which is named by where it is defined."""
        found = defaultdict(set)
        for module, file in self.files.items():
            for name in inherent_impls(file.tokens):
                found[self.home(module, name), name].add(module)
        return found

    def home(self, module: Module, name: str) -> Module:
        file = self.files[module]
        if name in file.defined:
            return module
        if name in file.imports:
            return self.resolve(module, file.imports[name]) or module
        for target in file.globs:
            found = self.resolve(module, [*target, name])
            if found in self.files and name in self.files[found].defined:
                return found
        return module


def related(one: Module, other: Module) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def inherent_impls(tokens: list[str]) -> list[str]:
    """The names of the types that have an `impl` without a trait."""
    names = []
    for index, token in enumerate(tokens):
        starts_item = index == 0 or tokens[index - 1] in ("}", ";", "]", "{", "unsafe")
        if token != "impl" or not starts_item:
            continue
        head, depth = [], 0
        for part in tokens[index + 1 :]:
            if part == "{" or part == "where":
                break
            depth += (part == "<") - (part == ">")
            if depth == 0 and part != ">":
                head.append(part)
        if head and "for" not in head:
            names.append(head[-1])
    return names


def reachable(graph: dict[Module, set[Module]], start: Module) -> dict[Module, Module]:
    """Every module that `start` imports, directly or not, with the one before it on a shortest way there."""
    before: dict[Module, Module] = {}
    queue = [start]
    for module in queue:
        for target in sorted(graph[module]):
            if target not in before:
                before[target] = module
                queue.append(target)
    return before


def circles(graph: dict[Module, set[Module]]) -> list[list[Module]]:
    """One shortest circle for each group of modules that import each other."""
    ways = {module: reachable(graph, module) for module in graph}
    found, done = [], set()
    for module in sorted(graph):
        if module in done or module not in ways[module]:
            continue
        done |= {other for other in ways[module] if module in ways[other]}
        circle = [module]
        while len(circle) == 1 or circle[-1] != module:
            circle.append(ways[module][circle[-1]])
        found.append(circle[::-1])
    return found


def violations(folder: Path) -> list[str]:
    crate = Crate(folder)
    name = lambda module: str(crate.files[module].path.relative_to(folder / "src"))
    lines = [f"{crate.name}: import circle {' -> '.join(map(name, circle))}" for circle in circles(crate.imports())]
    for (_, type_name), modules in sorted(crate.methods().items()):
        if len(modules) > FILES_OF_METHODS:
            lines.append(f"{crate.name}: {type_name} has methods in {len(modules)} files: {', '.join(map(name, sorted(modules)))}")
    return lines


def main() -> int:
    folders = [Path(crate) for crate in sys.argv[1:] or CRATES]
    empty = [str(folder) for folder in folders if not list((folder / "src").rglob("*.rs"))]
    if empty:
        print(f"no sources in {', '.join(empty)}: run it at the top of the checkout")
        return 1
    lines = [line for folder in folders for line in violations(folder)]
    print("\n".join(lines) or f"no import circles in {', '.join(map(str, folders))}")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
