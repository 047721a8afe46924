"""Read YAML, and say on which line each fault is."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

from pipeline.errors import Fault

TEXT_TAG = "tag:yaml.org,2002:str"
MAX_DEPTH = 20

ODD_TAGS = tuple(f"tag:yaml.org,2002:{name}" for name in ("binary", "set", "omap", "pairs"))

if yaml.__with_libyaml__:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class _YamlLoader(Composer, CParser, Resolver):
        """libyaml's parser is eight times as fast; its composer overruns the stack where nesting is deep."""

        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            Composer.__init__(self)
            Resolver.__init__(self)

else:
    _YamlLoader = yaml.SafeLoader  # type: ignore[assignment, misc]


class YamlFile:
    """A YAML document that knows on which line each of its fields stands."""

    def __init__(self, path: Path, faults: list[Fault]) -> None:
        self.file = str(path)
        self.document: Any = None
        self._root: yaml.Node | None = None
        try:
            self._root = _YamlLoader(path.read_text("utf-8")).get_single_node()
            found = [] if self._root is None else list(_misread(self.file, self._root))
            faults += found
            if self._root is not None and not found:
                self.document = yaml.constructor.SafeConstructor().construct_document(self._root)
        except RecursionError:
            faults.append(Fault(self.file, 0, "", "nested too deeply", f"Axes nest {MAX_DEPTH} levels at most."))
        except UnicodeDecodeError as error:
            faults.append(Fault(self.file, 0, "", f"not UTF-8 at byte {error.start}", "Save the file as UTF-8."))
        except ValueError as error:  # a tag such as !!int on what is none
            faults.append(Fault(self.file, 0, "", f"not valid YAML: {error}", "Write the value without its tag."))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "cannot be read"
            faults.append(
                Fault(self.file, mark.line + 1 if mark else 0, "", f"not valid YAML: {problem}", "Mend the syntax.")
            )

    def line(self, path: Iterable[str | int]) -> int:
        node, line = self._root, 1
        for part in path:
            node = _child(node, part)
            if node is None:
                break
            line = node.start_mark.line + 1
        return line


def _misread(file: str, root: yaml.Node) -> Iterator[Fault]:
    """What YAML would silently read as something else than what is written."""
    waiting: list[tuple[yaml.Node, frozenset[int]]] = [(root, frozenset())]
    while waiting:
        node, above = waiting.pop()
        line = node.start_mark.line + 1
        if id(node) in above or len(above) > MAX_DEPTH:
            problem = "a recursive value" if id(node) in above else "nested too deeply"
            yield Fault(file, line, "", problem, "Write each value where it stands.")
            continue
        above |= {id(node)}
        if node.tag in ODD_TAGS:
            yield Fault(file, line, "", f"a value of the tag {node.tag}", "Write the value without its tag.")
        if isinstance(node, yaml.SequenceNode):
            waiting += [(child, above) for child in node.value]
        elif isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            for key, value in node.value:
                if key.tag != TEXT_TAG:
                    yield Fault(file, key.start_mark.line + 1, "", f"the key {key.value} is not text", "Quote it.")
                elif keys.count(key.value) > 1:
                    keys.remove(key.value)
                    problem = f"the key {key.value!r} stands twice"
                    yield Fault(file, key.start_mark.line + 1, "", problem, "Keep one of them.")
                waiting.append((value, above))
        elif node.tag == "tag:yaml.org,2002:timestamp":
            yield Fault(file, line, "", f"{node.value} is read as a date", "Quote it.")


def _child(node: yaml.Node | None, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part]  # type: ignore[no-any-return]
    return None
