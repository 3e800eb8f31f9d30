"""One setting of a YAML file is changed where it stands; every other character stays as somebody wrote it."""

import math
from typing import Any

import yaml


def with_setting(text: str, block: str, name: str, value: Any) -> str:
    """`text` where `name` in `block` is `value`: in the place of the old one, or else on a line of its own at the block's end.

    Comments stay, but for those among the items of a list that is replaced. yaml.YAMLError where `text` is no YAML. Of text
    that is written in ways that no settings need (aliases, a block twice) something else may come: whoever writes it reads it
    first.
    """
    blocks = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(blocks, yaml.MappingNode):
        return f"{text.rstrip()}\n{block}:\n  {name}: {in_words(value)}\n".lstrip()
    inside = {key.value: own for key, own in blocks.value}.get(block)
    if not isinstance(inside, yaml.MappingNode):
        return _added(text, blocks, f"{block}: {{{name}: {in_words(value)}}}")
    for key, old in inside.value:
        if key.value == name:
            before, between = text[: key.end_mark.index], text[key.end_mark.index : old.start_mark.index]
            comment = between.lstrip().removeprefix(":").rstrip()
            return f"{before}: {in_words(value)}{comment}{text[_end(old) :]}"
    return _added(text, inside, f"{name}: {in_words(value)}")


def in_words(value: Any) -> str:
    """A value on one line of YAML."""
    return yaml.safe_dump(value, default_flow_style=True, width=math.inf).removesuffix("\n...\n").rstrip("\n")


def _added(text: str, inside: yaml.MappingNode, said: str) -> str:
    if inside.flow_style:
        start = inside.start_mark.index + 1
        return f"{text[:start]}{said}{', ' if inside.value else ''}{text[start:]}"
    line_end = text.find("\n", _end(inside))
    line_end = len(text) if line_end < 0 else line_end
    return f"{text[:line_end]}\n{' ' * inside.start_mark.column}{said}{text[line_end:]}"


def _end(node: yaml.Node) -> int:
    """Where a value's own characters end: YAML counts the blank lines and comments after a block to it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return node.end_mark.index
