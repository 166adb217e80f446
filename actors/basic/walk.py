"""Going over a tree without recursion, whatever its nodes are."""

from __future__ import annotations

from collections.abc import Iterator

from actors.basic import nodes

__all__ = ["children", "height", "nodes_of"]


_NAMES = {
    kind: tuple(name for name in kind.__struct_fields__ if name != "at")
    for kind in vars(nodes).values()
    if isinstance(kind, type) and issubclass(kind, nodes.Node)
}


def children(node: nodes.Node) -> Iterator[nodes.Node]:
    """The nodes directly below *node*, in order of the source."""
    for name in _NAMES.get(type(node), ()):  # what the compiler puts in place of nodes is a leaf
        value = getattr(node, name)
        if isinstance(value, nodes.Node):
            yield value
        elif isinstance(value, tuple):
            yield from _inside(value)


def _inside(values: tuple[object, ...]) -> Iterator[nodes.Node]:
    # The tuples of a tree are nested three deep at most: (condition, (statement, …)).
    for value in values:
        if isinstance(value, nodes.Node):
            yield value
        elif isinstance(value, tuple) and not isinstance(value, nodes.Span):
            yield from _inside(value)


def nodes_of(*roots: nodes.Node) -> Iterator[nodes.Node]:
    """The *roots* and everything below them, in order of the source."""
    waiting: list[nodes.Node] = list(reversed(roots))
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(list(children(node))))


def height(root: nodes.Node) -> int:
    """How many levels the tree has; 1 for a leaf."""
    highest = 0
    level: list[nodes.Node] = [root]
    while level:
        highest += 1
        level = [child for node in level for child in children(node)]
    return highest
