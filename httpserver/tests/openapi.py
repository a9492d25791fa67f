# SPDX-License-Identifier: BSD-2-Clause
"""JSON beside the schemas of OpenAPI that the agent uses."""

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}


def misfit(value, schema, at="answer"):
    """Where VALUE is not exactly what SCHEMA says; None when it is. Fields that it does not name are misfits, too."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(value, TYPES[k]) and isinstance(value, bool) == (k == "boolean") for k in kinds):
        return "%s is %r, not %s" % (at, value, kinds)
    if "enum" in schema and value not in schema["enum"]:
        return "%s is %r, none of %s" % (at, value, schema["enum"])
    if isinstance(value, list):
        return next(filter(None, (misfit(v, schema["items"], "%s[%d]" % (at, i)) for i, v in enumerate(value))), None)
    if isinstance(value, dict):
        missing, unknown = set(schema["required"]) - set(value), set(value) - set(schema["properties"])
        if missing or unknown:
            return "%s lacks %s and has %s" % (at, missing, unknown)
        return next(filter(None, (misfit(v, schema["properties"][k], at + "." + k) for k, v in value.items())), None)
    return None


def answers(document, verb, path):
    """The schema of what VERB PATH answers."""
    (media,) = document["paths"][path][verb]["responses"]["2XX"]["content"].values()
    return media["schema"]
