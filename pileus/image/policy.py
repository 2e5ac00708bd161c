"""The image service's rules, by OpenStack's names and with its default roles."""

from pileus.core.policy import Rule
from pileus.image.metadefs import policy as metadefs

ADMIN = "rule:context_is_admin"
OWN = "project_id:%(project_id)s"
MEMBER = f"{ADMIN} or (role:member and {OWN})"
READER = f"{ADMIN} or (role:reader and {OWN})"
OFFERED = "project_id:%(member_id)s"
# who an image is shared with sees it: whether it is, the lookup has asked before
SEEN = f"{OWN} or {OFFERED} or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s"
SEEN_BY_READERS = f"{ADMIN} or (role:reader and ({SEEN}))"
SHARED_READERS = f"{ADMIN} or (role:reader and ({OWN} or {OFFERED}))"
CACHE = f"{ADMIN} or rule:manage_image_cache"  # the older name, which operators' files may still have
_ONE = "/v2/images/{image_id}"

RULES = [
    Rule("default", "", "Whoever has a token: what shows the API itself.", ("GET /v2/schemas/image",)),
    Rule("context_is_admin", "role:admin", "Who counts as an administrator."),
    Rule("service_api", "role:service or role:admin", "Who counts as another service of the cloud."),
    Rule("add_image", f"{ADMIN} or (role:member and {OWN} and project_id:%(owner)s)", "Create an image.",
         ("POST /v2/images",)),
    Rule("get_images", READER, "List images.", ("GET /v2/images",)),
    Rule("get_image", SEEN_BY_READERS, "See an image.", (f"GET {_ONE}",)),
    Rule("modify_image", MEMBER, "Change an image.", (f"PATCH {_ONE}",)),
    Rule("delete_image", MEMBER, "Delete an image.", (f"DELETE {_ONE}",)),
    Rule("publicize_image", ADMIN, "Show an image to every project.", (f"PATCH {_ONE}",)),
    Rule("communitize_image", MEMBER, "Let every project use an image.", (f"PATCH {_ONE}",)),
    Rule("upload_image", MEMBER, "Give an image its bytes.", (f"PUT {_ONE}/file",)),
    Rule("download_image", f"{ADMIN} or (role:member and ({SEEN}))", "Read an image's bytes.", (f"GET {_ONE}/file",)),
    Rule("download_from_store", f"{ADMIN} or (role:member and ({SEEN}))", "Say which stores to read an image's bytes from.",
         (f"GET {_ONE}/file",)),
    Rule("deactivate", MEMBER, "Stop an image's use.", (f"POST {_ONE}/actions/deactivate",)),
    Rule("reactivate", MEMBER, "Allow an image's use again.", (f"POST {_ONE}/actions/reactivate",)),
    Rule("get_image_location", READER, "See where an image's bytes are.", (f"GET {_ONE}",)),
    Rule("set_image_location", MEMBER, "Say where an image's bytes are.", (f"PATCH {_ONE}",)),
    Rule("delete_image_location", ADMIN, "Take an image's bytes from one of its places.",
         (f"PATCH {_ONE}", "DELETE /v2/stores/{store_id}/{image_id}")),
    Rule("add_image_location", f"rule:service_api or (role:member and {OWN} and project_id:%(owner)s)",
         "Give an image the place of its bytes.",
         (f"POST {_ONE}/locations",)),
    Rule("fetch_image_location", "rule:service_api", "See where an image's bytes are, as services do.",
         (f"GET {_ONE}/locations",)),
    Rule("copy_image", ADMIN, "Copy an image's bytes to further stores.", (f"POST {_ONE}/import",)),
    Rule("manage_image_cache", ADMIN, "See, fill and empty the cache: by this older name of what follows."),
    Rule("cache_list", CACHE, "See what the cache holds.", ("GET /v2/cache",)),
    Rule("cache_image", CACHE, "Have an image cached.", ("PUT /v2/cache/{image_id}",)),
    Rule("cache_clean", ADMIN, "Drop from the cache what is not whole.", ("POST /v2/cache/clean",)),
    Rule("cache_prune", ADMIN, "Make the cache as small as it should be.", ("POST /v2/cache/prune",)),
    Rule("list_cached_nodes", ADMIN, "See where an image is cached.", ("GET /v2/cache/nodes/{image_id}",)),
    Rule("cache_delete", CACHE, "Empty the cache.", ("DELETE /v2/cache", "DELETE /v2/cache/{image_id}")),
    Rule("add_member", MEMBER, "Share an image.", (f"POST {_ONE}/members",)),
    Rule("get_members", SHARED_READERS, "See whom an image is shared with; others than its owner see themselves.",
         (f"GET {_ONE}/members",)),
    Rule("get_member", SHARED_READERS, "See one of them.", (f"GET {_ONE}/members/{{member_id}}",)),
    Rule("modify_member", f"{ADMIN} or (role:member and {OFFERED})", "Accept or reject an image offered to one's project.",
         (f"PUT {_ONE}/members/{{member_id}}",)),
    Rule("delete_member", MEMBER, "Stop sharing.", (f"DELETE {_ONE}/members/{{member_id}}",)),
    Rule("tasks_api_access", ADMIN, "See what was asked of all images, and ask by task.",
         ("GET /v2/tasks", "POST /v2/tasks", "GET /v2/tasks/{task_id}")),
    Rule("get_tasks", "rule:default", "See what was asked of all images, beside the rule above.", ("GET /v2/tasks",)),
    Rule("get_task", "rule:default", "See one of it, beside the rule above.", ("GET /v2/tasks/{task_id}",)),
    Rule("add_task", "rule:default", "Ask by task, beside the rule above.", ("POST /v2/tasks",)),
    Rule("modify_task", "rule:default", "Guards nothing: no route changes a task."),
    Rule("stores_info_detail", f"{ADMIN} or rule:service_api", "See how the stores are set up.",
         ("GET /v2/info/stores/detail",)),
    *metadefs.RULES,
]  # fmt: skip
