"""The rules of metadata definitions: project members read what they see, administrators write."""

from pileus.core.policy import Rule

ADMIN = "rule:metadef_admin"
SEEN = (
    "rule:context_is_admin or "
    "(role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))"
)  # fmt: skip
_NS = "/v2/metadefs/namespaces"
_ONE = f"{_NS}/{{namespace}}"


def _of_parts(kind: str, plural: str, remove: str) -> list[Rule]:
    """Objects, properties and tags each have the same five."""
    all, one = f"{_ONE}/{plural}", f"{_ONE}/{plural}/{{name}}"
    return [
        Rule(f"get_metadef_{kind}", SEEN, f"See one of a namespace's {plural}.", (f"GET {one}",)),
        Rule(f"get_metadef_{plural}", SEEN, f"List a namespace's {plural}.", (f"GET {all}",)),
        Rule(f"modify_metadef_{kind}", ADMIN, f"Change one of a namespace's {plural}.", (f"PUT {one}",)),
        Rule(
            f"add_metadef_{kind}", ADMIN, f"Add to a namespace's {plural}.", (f"POST {one if kind == 'tag' else all}",)
        ),
        Rule(f"{remove}_metadef_{kind}", ADMIN, f"Delete one of a namespace's {plural}.", (f"DELETE {one}",)),
    ]


RULES = [
    Rule("metadef_default", "", "What operators' own policy files build on."),
    Rule("metadef_admin", "rule:context_is_admin", "Whoever keeps the definitions."),
    Rule("get_metadef_namespace", SEEN, "See a namespace.", (f"GET {_ONE}",)),
    Rule("get_metadef_namespaces", "rule:context_is_admin or (role:reader and project_id:%(project_id)s)",
         "List namespaces.", (f"GET {_NS}",)),
    Rule("modify_metadef_namespace", ADMIN, "Change a namespace.", (f"PUT {_ONE}",)),
    Rule("add_metadef_namespace", ADMIN, "Create a namespace.", (f"POST {_NS}",)),
    Rule("delete_metadef_namespace", ADMIN, "Delete a namespace, or all objects or properties in it.",
         (f"DELETE {_ONE}", f"DELETE {_ONE}/objects", f"DELETE {_ONE}/properties")),
    *_of_parts("object", "objects", "delete"),
    *_of_parts("property", "properties", "remove"),
    *_of_parts("tag", "tags", "delete"),
    Rule("add_metadef_tags", ADMIN, "Say all tags of a namespace.", (f"POST {_ONE}/tags",)),
    Rule("delete_metadef_tags", ADMIN, "Delete all tags of a namespace.", (f"DELETE {_ONE}/tags",)),
    Rule("list_metadef_resource_types", SEEN, "List types of resources.", ("GET /v2/metadefs/resource_types",)),
    Rule("get_metadef_resource_type", SEEN, "See which types of resources a namespace is for.",
         (f"GET {_ONE}/resource_types",)),
    Rule("add_metadef_resource_type_association", ADMIN, "Say that a namespace is for a type of resources.",
         (f"POST {_ONE}/resource_types",)),
    Rule("remove_metadef_resource_type_association", ADMIN, "Say that it is not.",
         (f"DELETE {_ONE}/resource_types/{{name}}",)),
]  # fmt: skip
