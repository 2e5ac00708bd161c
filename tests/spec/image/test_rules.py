"""The names of the rules and whom each lets in are Glance's; and the rules no route names are asked all the same."""

from itertools import product
from pathlib import Path

import pytest

from pileus.core.context import Context
from pileus.core.policy import Policy, Rule
from pileus.image import policy
from tests.harness import World
from tests.spec.image.images import BYTES, IMAGES, active, bare, show

MEMBER = "rule:context_is_admin or (role:member and project_id:%(project_id)s)"
READER = "rule:context_is_admin or (role:reader and project_id:%(project_id)s)"
_SEEN = (
    "project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or 'public':%(visibility)s "
    "or 'shared':%(visibility)s"
)
NAMESPACE = (
    "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))"
)  # fmt: skip
# what its default policy says (2026.1, docs.openstack.org/glance/latest/configuration/glance_policy.html): check, names
DEFAULTS = {
    "": "default metadef_default",
    "role:admin": "context_is_admin",
    "role:service or role:admin": "service_api",
    "rule:context_is_admin": """
        publicize_image delete_image_location manage_image_cache copy_image list_cached_nodes tasks_api_access metadef_admin
        cache_image cache_list cache_delete cache_clean cache_prune""",
    "rule:context_is_admin or rule:service_api": "stores_info_detail",
    "rule:service_api": "fetch_image_location",
    "rule:service_api or (role:member and project_id:%(project_id)s and project_id:%(owner)s)": "add_image_location",
    "rule:context_is_admin or (role:member and project_id:%(project_id)s and project_id:%(owner)s)": "add_image",
    MEMBER: """
        delete_image modify_image communitize_image upload_image set_image_location add_member delete_member deactivate
        reactivate""",
    READER: "get_images get_image_location get_metadef_namespaces",
    f"rule:context_is_admin or (role:reader and ({_SEEN}))": "get_image",
    f"rule:context_is_admin or (role:member and ({_SEEN}))": "download_image download_from_store",
    "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))":
        "get_member get_members",
    "rule:context_is_admin or (role:member and project_id:%(member_id)s)": "modify_member",
    "rule:default": "get_task get_tasks add_task modify_task",
    NAMESPACE: """
        get_metadef_namespace get_metadef_object get_metadef_objects list_metadef_resource_types get_metadef_resource_type
        get_metadef_property get_metadef_properties get_metadef_tag get_metadef_tags""",
    "rule:metadef_admin": """
        modify_metadef_namespace add_metadef_namespace delete_metadef_namespace modify_metadef_object add_metadef_object
        delete_metadef_object add_metadef_resource_type_association remove_metadef_resource_type_association
        modify_metadef_property add_metadef_property remove_metadef_property modify_metadef_tag add_metadef_tag
        add_metadef_tags delete_metadef_tag delete_metadef_tags""",
}  # fmt: skip
THEIRS = {name: check for check, names in DEFAULTS.items() for name in names.split()}
OURS = Policy(policy.RULES)
REFERENCE = Policy([Rule(name, check) for name, check in THEIRS.items()])
CALLERS = [
    Context(project_id="own", user_id="u", roles=frozenset(roles))
    for roles in (set(), {"reader"}, {"member", "reader"}, {"manager", "member", "reader"}, {"service"}, {"admin"})
]
TARGETS = [
    {"project_id": project, "owner": owner, "member_id": member, "visibility": visibility}
    for project, owner, member, visibility in product(
        ("own", "other"), ("own", "other"), ("own", "other", None), ("public", "community", "shared", "private")
    )
]


def test_every_rule_has_glances_name() -> None:
    assert {rule.name for rule in policy.RULES} == set(THEIRS)


@pytest.mark.parametrize("name", sorted(THEIRS))
def test_a_rule_lets_in_whom_glances_does(name: str) -> None:
    for caller, target in product(CALLERS, TARGETS):
        assert OURS.allows(name, caller, target) == REFERENCE.allows(name, caller, target), (caller.roles, target)


@pytest.mark.parametrize(
    ("rule", "method", "path"),
    [
        ("download_from_store", "GET", f"{IMAGES}/{{id}}/file?prefer=file"),
        ("get_tasks", "GET", "/image/v2/tasks"),
        ("get_task", "GET", "/image/v2/tasks/{task}"),
        ("add_task", "POST", "/image/v2/tasks"),
    ],
)
def test_what_an_operator_forbids_beside_the_routes_own_rule_is_forbidden(
    tmp_path: Path, rule: str, method: str, path: str
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f'{rule}: "!"\n')
    world = World(tmp_path / "cloud", policy_file=str(file))
    try:
        boss = world.client("admin", "member", "reader")
        image, staged = active(boss), bare(boss)
        boss.get(f"{IMAGES}/{image['id']}/file").ok(200)
        boss.request("PUT", f"{IMAGES}/{staged['id']}/stage", headers=BYTES, upload=iter([b"x"])).ok(204)
        boss.post(f"{IMAGES}/{staged['id']}/import", {"method": {"name": "glance-direct"}}).ok(202)
        task = boss.get(f"{IMAGES}/{staged['id']}/tasks").ok(200)["tasks"][0]["id"]
        body = {"type": "import"} if method == "POST" else None
        boss.request(method, path.format(id=image["id"], task=task), body).refused(403, rule)
    finally:
        world.stop()


def test_the_older_name_of_the_caches_rules_still_lets_in(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text('manage_image_cache: "role:member"\n')
    world = World(tmp_path / "cloud", policy_file=str(file))
    try:
        member = world.client("member", "reader")
        image = active(member)
        member.put(f"/image/v2/cache/{image['id']}").ok(202)
        assert member.get("/image/v2/cache").ok(200)["queued_images"] == [image["id"]]
        member.delete("/image/v2/cache").ok(204)
        member.post("/image/v2/cache/clean").refused(403, "cache_clean")
        assert show(member, image)["status"] == "active"
    finally:
        world.stop()
