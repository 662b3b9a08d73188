# SPDX-License-Identifier: BSD-2-Clause
"""Reads schema/*.msg and schema/errors; docs/SCHEMA.md has the grammar.

Everything that can be wrong with a file is found here and raised as a
SchemaError that begins with file:line, so generate.py only ever sees good input.
"""

import re

PRIMITIVES = {
    # name: fewest bytes on the wire (None: depends on the encoding)
    "bool": 1,
    "int8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "float64": 8,
    "uuid": 16,
    "string": None,
    "bytes": None,
    "records": None,
}
INTEGERS = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
MAX_VERSION = 127


class SchemaError(Exception):
    def __init__(self, where, text):
        super().__init__("%s:%d: %s" % (where[0], where[1], text))


class Message:
    """A request, response, header or data message."""

    def __init__(self, where, kind, api, name, comment):
        self.where, self.kind, self.api, self.name = where, kind, api, name
        self.comment = comment
        self.min = self.max = 0
        self.flexible = None  # first flexible version
        self.stable = 0  # newest version that may be sent unasked
        self.root = None

    def is_flexible(self, version):
        return self.flexible is not None and version >= self.flexible


class Struct:
    def __init__(self, where, name):
        self.where, self.name = where, name
        self.fields = []


class Field:
    def __init__(self, where, name, comment):
        self.where, self.name, self.comment = where, name, comment
        self.base = None  # name of a primitive, or None
        self.struct = None
        self.array = False
        self.versions = None  # (first, last)
        self.null = None  # (first, last) where it may be null
        self.tag = None
        self.ignorable = self.classic = self.secret = False
        self.default = None  # int, str, bool; None = zero, empty
        self.null_default = False


class Api:
    def __init__(self, where, key, name, comment):
        self.where, self.key, self.name, self.comment = where, key, name, comment
        self.request = self.response = None


class ErrorCode:
    def __init__(self, where, code, name, flags, text):
        self.where, self.code, self.name = where, code, name
        self.flags, self.text = flags, text


class Line:
    """One line without its comment; depth is the number of leading tabs."""

    def __init__(self, where, depth, words, comment):
        self.where, self.depth, self.words, self.comment = where, depth, words, comment


def read_lines(path):
    """The lines that say something; comment lines above one belong to it."""
    above = []
    with open(path, encoding="utf-8") as file:
        for number, raw in enumerate(file, 1):
            where = (path, number)
            text = raw.rstrip("\n")
            if text != text.rstrip():
                raise SchemaError(where, "blanks at the end of the line")
            body, comment = split_comment(text)
            if not body.strip():
                above = above + [comment] if comment else []
                continue
            indent = re.match(r"[ \t]*", body).group()
            if " " in indent:
                raise SchemaError(where, "indent with tabs")
            words = re.findall(r'"[^"]*"|\S+', body)
            if comment:
                above = above + [comment]
            yield Line(where, len(indent), words, " ".join(above))
            above = []


def split_comment(text):
    quoted = False
    for i, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif char == "#" and not quoted:
            return text[:i].rstrip(), text[i + 1 :].strip()
    return text, ""


def parse_versions(where, word, last):
    match = re.fullmatch(r"(\d+)(?:-(\d+)|(\+))?", word)
    if not match:
        raise SchemaError(where, "'%s' is not a version range" % word)
    first = int(match.group(1))
    end = int(match.group(2)) if match.group(2) else last if match.group(3) else first
    if end is None or first > end or end > (MAX_VERSION if last is None else last):
        raise SchemaError(where, "'%s' is outside of the message's versions" % word)
    return first, end


def parse_file(path):
    """Returns (api or None, [messages])."""
    api, messages, stack = None, [], []
    for line in read_lines(path):
        if line.depth > 0:
            if not messages:
                raise SchemaError(line.where, "a field outside of a message")
            parse_field(line, messages[-1], stack)
            continue
        keyword = line.words[0]
        if keyword == "api":
            api = parse_api(line)
            yield api
        elif keyword in ("request", "response"):
            if api is None:
                raise SchemaError(line.where, "'%s' needs an 'api' line before it" % keyword)
            if getattr(api, keyword) is not None:
                raise SchemaError(line.where, "a second %s" % keyword)
            name = api.name + keyword.capitalize()
            messages.append(parse_message(line, keyword, api.key, name, line.words[1:]))
            setattr(api, keyword, messages[-1])
        elif keyword in ("header", "data"):
            if len(line.words) < 2:
                raise SchemaError(line.where, "'%s' needs a name" % keyword)
            messages.append(
                parse_message(line, keyword, None, line.words[1], line.words[2:])
            )
        else:
            raise SchemaError(line.where, "unknown word '%s'" % keyword)
        if keyword != "api":
            yield messages[-1]
            stack = [messages[-1].root]


def parse_api(line):
    if len(line.words) != 3 or not line.words[1].isdigit():
        raise SchemaError(line.where, "write 'api KEY NAME'")
    return Api(line.where, int(line.words[1]), line.words[2], line.comment)


def parse_message(line, kind, api, name, words):
    check_name(line.where, name)
    message = Message(line.where, kind, api, name, line.comment)
    if not words:
        raise SchemaError(line.where, "%s has no versions" % name)
    message.min, message.max = parse_versions(line.where, words[0], None)
    message.stable = message.max
    rest = words[1:]
    while rest:
        if rest[0] == "flexible" and len(rest) > 1 and rest[1].endswith("+"):
            message.flexible = parse_versions(line.where, rest[1], message.max)[0]
        elif rest[0] == "unstable" and len(rest) > 1 and rest[1].isdigit():
            message.stable = int(rest[1]) - 1
        else:
            raise SchemaError(line.where, "unknown word '%s'" % rest[0])
        rest = rest[2:]
    message.root = Struct(line.where, None)
    message.structs = {}
    return message


def check_name(where, name):
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
        raise SchemaError(where, "'%s' is not a name in CamelCase" % name)


def parse_field(line, message, stack):
    """stack[d] is the struct that a line of depth d + 1 belongs to."""
    if line.depth > len(stack):
        raise SchemaError(line.where, "indented too far")
    del stack[line.depth :]
    owner = stack[-1]
    if len(line.words) < 2:
        raise SchemaError(line.where, "write 'Name type'")
    field = Field(line.where, line.words[0], line.comment)
    check_name(line.where, field.name)
    if any(other.name == field.name for other in owner.fields):
        raise SchemaError(line.where, "a second field %s" % field.name)
    word = line.words[1]
    nullable = word.endswith("?")
    word = word[:-1] if nullable else word
    field.array = word.startswith("[]")
    word = word[2:] if field.array else word
    field.versions = (message.min, message.max)
    parse_attributes(line, field, message)
    if nullable:
        field.null = field.versions
    if word in PRIMITIVES:
        field.base = word
    else:
        check_name(line.where, word)
        field.struct = message.structs.get(word)
        if field.struct is None:
            field.struct = message.structs[word] = Struct(line.where, word)
            stack.append(field.struct)
    owner.fields.append(field)


def parse_attributes(line, field, message):
    words = list(line.words[2:])
    if words and words[0][0].isdigit():
        field.versions = parse_versions(line.where, words.pop(0), message.max)
        if field.versions[0] < message.min:
            raise SchemaError(line.where, "%s begins before the message" % field.name)
    while words:
        word = words.pop(0)
        value = words.pop(0) if word in ("null", "tag", "=") and words else None
        if word == "ignorable":
            field.ignorable = True
        elif word == "classic":
            field.classic = True
        elif word == "secret":
            field.secret = True
        elif word == "null" and value:
            field.null = parse_versions(line.where, value, message.max)
        elif word == "tag" and value and value.isdigit():
            field.tag = int(value)
        elif word == "=" and value:
            field.default = value
        else:
            raise SchemaError(line.where, "unknown word '%s'" % word)


def check_message(message):
    """What can only be judged when the whole message has been read."""
    for struct in [message.root] + list(message.structs.values()):
        if not struct.fields:
            raise SchemaError(struct.where, "%s has no fields" % (struct.name or message.name))
        for field in struct.fields:
            check_field(message, field)
        tags = [f.tag for f in struct.fields if f.tag is not None]
        if sorted(tags) != list(range(len(tags))):
            raise SchemaError(struct.where, "tags are not 0, 1, 2, ... once each")
    if not message.min - 1 <= message.stable <= message.max:
        raise SchemaError(message.where, "'unstable' is outside of the message's versions")


def check_field(message, field):
    first, last = field.versions
    if field.null and not (first <= field.null[0] and field.null[1] <= last):
        raise SchemaError(field.where, "null where the field is not there")
    if field.null and not field.array and field.base not in (None, "string", "bytes", "records"):
        raise SchemaError(field.where, "%s is never null" % field.base)
    if field.tag is not None and not message.is_flexible(first):
        raise SchemaError(field.where, "a tagged field in a version that is not flexible")
    word, field.default = field.default, None
    if field.base == "records":
        field.null_default = field.null is not None and word is None
    if word is None:
        pass
    elif word == "null":
        if not field.null:
            raise SchemaError(field.where, "default null, but it is never null")
        field.null_default = True
    elif field.array or field.base is None:
        raise SchemaError(field.where, "only null can be this default")
    elif field.base == "bool":
        if word not in ("true", "false"):
            raise SchemaError(field.where, "a bool is true or false")
        field.default = int(word == "true")
    elif field.base in INTEGERS:
        field.default = parse_integer(field, word)
    elif field.base == "string" and word.startswith('"'):
        field.default = word[1:-1]
    else:
        raise SchemaError(field.where, "'%s' cannot be this default" % word)
    pointer = field.struct and field.null and not field.array
    if pointer and field.tag is None and not field.null_default:
        raise SchemaError(field.where, "a struct that may be null defaults to null")


def parse_integer(field, word):
    try:
        value = int(word, 0)
    except ValueError:
        raise SchemaError(field.where, "'%s' is not a number" % word) from None
    low, high = INTEGERS[field.base]
    if not low <= value <= high:
        raise SchemaError(field.where, "%s does not fit an %s" % (word, field.base))
    return value


def parse_errors(path):
    """schema/errors: 'CODE NAME flag...' and, indented, one sentence of text."""
    codes, seen = [], {}
    for line in read_lines(path):
        if line.depth == 1 and codes:
            codes[-1].text = " ".join([codes[-1].text] + line.words).strip()
            continue
        if line.depth or len(line.words) < 2:
            raise SchemaError(line.where, "write 'CODE NAME flag...', then the text, indented")
        code, name, flags = line.words[0], line.words[1], line.words[2:]
        if not re.fullmatch(r"-?\d+", code) or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            raise SchemaError(line.where, "write 'CODE NAME flag...'")
        for flag in flags:
            if flag not in ERROR_FLAGS:
                raise SchemaError(line.where, "unknown flag '%s'" % flag)
        for key in (code, name):
            if key in seen:
                raise SchemaError(line.where, "%s is taken by line %d" % (key, seen[key]))
            seen[key] = line.where[1]
        codes.append(ErrorCode(line.where, int(code), name, flags, ""))
    for code in codes:
        if not code.text.endswith("."):
            raise SchemaError(code.where, "%s needs a sentence of text" % code.name)
    return codes


ERROR_FLAGS = ("retriable", "invalid_metadata", "abortable")


def read_schema(paths):
    """Returns (apis by key, messages in order) of all files, checked."""
    apis, messages, names = {}, [], {}
    for path in paths:
        for item in parse_file(path):
            if item.name in names:
                first = "%s:%d" % names[item.name]
                raise SchemaError(item.where, "%s is also in %s" % (item.name, first))
            names[item.name] = item.where
            if isinstance(item, Api):
                if item.key in apis:
                    taken = "key %d is taken by %s" % (item.key, apis[item.key].name)
                    raise SchemaError(item.where, taken)
                apis[item.key] = item
            else:
                messages.append(item)
    for message in messages:
        check_message(message)
    for api in apis.values():
        if (api.request is None) != (api.response is None):
            raise SchemaError(api.where, "%s lacks its request or response" % api.name)
        if api.request and not api.comment:
            raise SchemaError(api.where, "say in a comment above what %s does" % api.name)
    order = {"request": 0, "response": 1, "header": 2, "data": 3}
    messages.sort(key=lambda m: (m.api is None, m.api or 0, order[m.kind]))
    return dict(sorted(apis.items())), messages
