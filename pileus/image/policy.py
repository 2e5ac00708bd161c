"""The image service's rules, by OpenStack's names and with its default roles."""

from pileus.core.policy import Rule

ADMIN = "role:admin"
MEMBER = "role:admin or (role:member and project_id:%(project_id)s)"
READER = "role:admin or (role:reader and project_id:%(project_id)s)"
# who an image is shared with sees it: whether it is, the lookup has asked before
SEEN = "project_id:%(project_id)s or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s"

RULES = [
    Rule("add_image", MEMBER, "Create an image.", ("POST /v2/images",)),
    Rule("get_images", READER, "List images.", ("GET /v2/images",)),
    Rule("get_image", f"role:admin or (role:reader and ({SEEN}))", "See an image.", ("GET /v2/images/{image_id}",)),
    Rule("modify_image", MEMBER, "Change an image.", ("PATCH /v2/images/{image_id}",)),
    Rule("delete_image", MEMBER, "Delete an image.", ("DELETE /v2/images/{image_id}",)),
    Rule("publicize_image", ADMIN, "Show an image to every project.", ("PATCH /v2/images/{image_id}",)),
    Rule("communitize_image", MEMBER, "Let every project use an image.", ("PATCH /v2/images/{image_id}",)),
    Rule("upload_image", MEMBER, "Give an image its bytes.", ("PUT /v2/images/{image_id}/file",)),
    Rule(
        "download_image",
        f"role:admin or (role:member and ({SEEN}))",
        "Read an image's bytes.",
        ("GET /v2/images/{image_id}/file",),
    ),
    Rule("deactivate", MEMBER, "Stop an image's use.", ("POST /v2/images/{image_id}/actions/deactivate",)),
    Rule("reactivate", MEMBER, "Allow an image's use again.", ("POST /v2/images/{image_id}/actions/reactivate",)),
    Rule("get_image_location", READER, "See where an image's bytes are.", ("GET /v2/images/{image_id}",)),
    Rule("set_image_location", ADMIN, "Say where an image's bytes are.", ("PATCH /v2/images/{image_id}",)),
    Rule("delete_image_location", ADMIN, "Forget where an image's bytes are.", ("PATCH /v2/images/{image_id}",)),
    Rule("add_member", MEMBER, "Share an image.", ("POST /v2/images/{image_id}/members",)),
    Rule(
        "get_members",
        f"role:admin or (role:reader and ({SEEN}))",
        "See whom an image is shared with; others than its owner see themselves.",
        ("GET /v2/images/{image_id}/members",),
    ),
    Rule(
        "get_member",
        "role:admin or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))",
        "See one of them.",
        ("GET /v2/images/{image_id}/members/{member_id}",),
    ),
    Rule(
        "modify_member",
        "role:admin or (role:member and project_id:%(member_id)s)",
        "Accept or reject an image offered to one's project.",
        ("PUT /v2/images/{image_id}/members/{member_id}",),
    ),
    Rule("delete_member", MEMBER, "Stop sharing.", ("DELETE /v2/images/{image_id}/members/{member_id}",)),
    Rule("tasks_api_access", ADMIN, "See what was asked of all images.", ("GET /v2/tasks", "GET /v2/tasks/{task_id}")),
    Rule("stores_info_detail", ADMIN, "See how the stores are set up.", ("GET /v2/info/stores/detail",)),
]
