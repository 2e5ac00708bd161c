"""The network's rules, by OpenStack's names and with its default roles.

A rule without a colon guards a route; `create_network:shared` guards one attribute. What a
check calls `network_project_id` is the project that owns the network of a port or subnet.
"""

from pileus.core.policy import Rule

ADMIN = "rule:admin_only"
MEMBER = "rule:admin_only or role:member and project_id:%(project_id)s"
READER = "rule:admin_only or role:reader and project_id:%(project_id)s"
NETWORK_MEMBER = "rule:admin_only or role:member and project_id:%(network_project_id)s"
MEMBER_OR_NETWORK = f"{MEMBER} or role:member and project_id:%(network_project_id)s"
READER_OR_NETWORK = f"{READER} or role:reader and project_id:%(network_project_id)s"
SHARED = "True:%(shared)s"
EXTERNAL = "True:%(external)s"
EVERYBODY = ""


def crud(name: str, path: str, *, read: str = READER, write: str = MEMBER, why: str = "") -> list[Rule]:
    """The four rules of a plain resource."""
    one = f"{path}/{{id}}"
    return [
        Rule(f"create_{name}", write, why, (f"POST {path}",)),
        Rule(f"get_{name}", read, why, (f"GET {path}", f"GET {one}")),
        Rule(f"update_{name}", write, why, (f"PUT {one}",)),
        Rule(f"delete_{name}", write, why, (f"DELETE {one}",)),
    ]


def tags(name: str, read: str = READER, write: str = MEMBER) -> list[Rule]:
    return [
        Rule(f"get_{name}:tags", read, "Whoever sees a thing sees its tags."),
        Rule(f"create_{name}:tags", write, "Whoever may change a thing may tag it."),
        Rule(f"update_{name}:tags", write, "Whoever may change a thing may tag it."),
        Rule(f"delete_{name}:tags", write, "Whoever may change a thing may tag it."),
    ]


def attributes(check: str, why: str, *names: str) -> list[Rule]:
    return [Rule(name, check, why) for name in names]


PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")

RULES = [
    Rule("context_is_admin", "role:admin"),
    Rule("admin_only", "rule:context_is_admin"),
    *crud("network", "/networks", read=f"{READER} or {SHARED} or {EXTERNAL}"),
    *attributes(ADMIN, "Decides what other projects get.", "create_network:shared", "update_network:shared",
                "create_network:router:external", "update_network:router:external", "create_network:is_default",
                "update_network:is_default"),
    *attributes(ADMIN, "Tells how the data centre is built.",
                *(f"{verb}_network:{name}" for verb in ("create", "get", "update") for name in PROVIDER)),
    *crud("subnet", "/subnets", read=f"{READER_OR_NETWORK} or {SHARED} or {EXTERNAL}", write=MEMBER_OR_NETWORK),
    *(rule for rule in crud("port", "/ports", read=READER_OR_NETWORK, why="The owner of a network sees its ports.")
      if rule.name != "delete_port"),
    Rule("delete_port", MEMBER_OR_NETWORK, "The owner of a network may clear it.", ("DELETE /ports/{id}",)),
    *attributes(ADMIN, "Tells on which host a guest runs.", "get_port:binding:host_id", "get_port:binding:profile",
                "get_port:binding:vif_type", "get_port:binding:vif_details", "get_port:resource_request",
                "create_port:binding:host_id", "create_port:binding:profile", "update_port:binding:host_id",
                "update_port:binding:profile", "get_port:trusted", "create_port:trusted", "update_port:trusted"),
    *attributes(NETWORK_MEMBER, "On another's network a guest takes the address that it is given.",
                "create_port:mac_address", "create_port:fixed_ips:ip_address", "create_port:port_security_enabled",
                "create_port:allowed_address_pairs", "update_port:fixed_ips:ip_address",
                "update_port:port_security_enabled", "update_port:allowed_address_pairs", "create_port:device_owner",
                "update_port:device_owner"),
    *attributes(ADMIN, "A bound port's address is its guest's.", "update_port:mac_address"),
    *attributes(f"{NETWORK_MEMBER} or {SHARED}", "Which subnet a guest is on.", "create_port:fixed_ips",
                "create_port:fixed_ips:subnet_id", "update_port:fixed_ips", "update_port:fixed_ips:subnet_id"),
    *crud("router", "/routers"),
    *attributes(ADMIN, "Spends the provider's addresses.",
                *(f"{verb}_router:external_gateway_info:{name}" for verb in ("create", "update")
                  for name in ("enable_snat", "external_fixed_ips"))),
    *attributes(MEMBER, "A project's router may lead out.", "create_router:external_gateway_info",
                "update_router:external_gateway_info", "create_router:external_gateway_info:network_id",
                "update_router:external_gateway_info:network_id"),
    *attributes(ADMIN, "Tells how the router is built.", "get_router:distributed", "get_router:ha",
                "create_router:ha", "update_router:ha"),
    Rule("add_router_interface", MEMBER, "", ("PUT /routers/{id}/add_router_interface",)),
    Rule("remove_router_interface", MEMBER, "", ("PUT /routers/{id}/remove_router_interface",)),
    *attributes(ADMIN, "Spends the provider's addresses.",
                *(f"{verb}_external_gateways:external_gateways:{name}" for verb in ("add", "update")
                  for name in ("enable_snat", "external_fixed_ips"))),
    *attributes(ADMIN, "What the provider's routers must bear.",
                *(f"{verb}_router:enable_default_route_{name}" for verb in ("create", "update")
                  for name in ("ecmp", "bfd"))),
    *(Rule(f"{verb}_external_gateways", MEMBER, "", (f"PUT /routers/{{id}}/{verb}_external_gateways",))
      for verb in ("add", "remove", "update")),
    Rule("add_extraroutes", MEMBER, "", ("PUT /routers/{id}/add_extraroutes",)),
    Rule("remove_extraroutes", MEMBER, "", ("PUT /routers/{id}/remove_extraroutes",)),
    *crud("floatingip", "/floatingips"),
    *attributes(ADMIN, "Chooses among the provider's addresses.", "create_floatingip:floating_ip_address"),
    *crud("floatingip_port_forwarding", "/floatingips/{floatingip_id}/port_forwardings",
          why="Where a floating IP leads is for those who have it."),
    *crud("security_group", "/security-groups", read=f"{READER} or {SHARED}"),
    *crud("security_group_rule", "/security-group-rules"),
    *(rule for rule in crud("default_security_group_rule", "/default-security-group-rules", read=EVERYBODY, write=ADMIN,
                            why="What everybody's groups begin with.") if not rule.name.startswith("update")),
    *crud("network_segment_range", "/network-segment-ranges", read=ADMIN, write=ADMIN,
          why="Tells how the data centre is built."),
    Rule("get_auto_allocated_topology", READER, "", ("GET /auto-allocated-topology/{project_id}",)),
    Rule("delete_auto_allocated_topology", MEMBER, "", ("DELETE /auto-allocated-topology/{project_id}",)),
    *crud("log", "/log/logs", read=ADMIN, write=ADMIN, why="What all projects' guests do stands in it."),
    Rule("get_loggable_resource", ADMIN, "", ("GET /log/loggable-resources",)),
    *crud("address_group", "/address-groups", read=f"{READER} or {SHARED}"),
    *attributes(ADMIN, "Decides what other projects get.", "create_address_group:shared"),
    *crud("subnetpool", "/subnetpools", read=f"{READER} or {SHARED}"),
    *attributes(ADMIN, "Decides what other projects get.", "create_subnetpool:shared", "create_subnetpool:is_default",
                "update_subnetpool:is_default"),
    Rule("add_prefixes", MEMBER, "", ("PUT /subnetpools/{id}/add_prefixes",)),
    Rule("remove_prefixes", MEMBER, "", ("PUT /subnetpools/{id}/remove_prefixes",)),
    *crud("address_scope", "/address-scopes", read=f"{READER} or {SHARED}"),
    *attributes(ADMIN, "Decides what other projects get.", "create_address_scope:shared", "update_address_scope:shared"),
    *crud("rbac_policy", "/rbac-policies"),
    *attributes("rule:admin_only or not '*':%(target_tenant)s", "Opening to everybody is the administrator's.",
                "create_rbac_policy:target_tenant", "update_rbac_policy:target_tenant"),
    *crud("policy", "/qos/policies", read=f"{READER} or {SHARED}", write=ADMIN, why="Limits are the provider's."),
    *(rule for kind in ("bandwidth_limit", "dscp_marking")
      for rule in crud(f"policy_{kind}_rule", f"/qos/policies/{{policy_id}}/{kind}_rules", write=ADMIN,
                       read=f"{READER} or {SHARED}", why="Limits are the provider's.")),
    Rule("get_rule_type", EVERYBODY, "", ("GET /qos/rule-types",)),
    *attributes(ADMIN, "Tells how the network is built.", "get_rule_type:drivers"),
    *crud("trunk", "/trunks"),
    Rule("get_subports", READER, "", ("GET /trunks/{id}/get_subports",)),
    Rule("add_subports", MEMBER, "", ("PUT /trunks/{id}/add_subports",)),
    Rule("remove_subports", MEMBER, "", ("PUT /trunks/{id}/remove_subports",)),
    Rule("get_agent", ADMIN, "Tells how the data centre is built.", ("GET /agents", "GET /agents/{id}")),
    Rule("get_agents", EVERYBODY, "The list is empty for those who may not see any.", ("GET /agents",)),
    Rule("get_l3-routers", ADMIN, "", ("GET /agents/{id}/l3-routers",)),
    Rule("get_l3-agents", ADMIN, "", ("GET /routers/{id}/l3-agents",)),
    Rule("update_agent", ADMIN, "", ("PUT /agents/{id}",)),
    Rule("delete_agent", ADMIN, "", ("DELETE /agents/{id}",)),
    Rule("get_floatingip_pool", EVERYBODY, "", ("GET /floatingip_pools",)),
    Rule("get_availability_zone", EVERYBODY, "", ("GET /availability_zones",)),
    Rule("get_service_provider", EVERYBODY, "", ("GET /service-providers",)),
    Rule("get_extension", EVERYBODY, "", ("GET /extensions", "GET /extensions/{alias}")),
    Rule("get_network_ip_availability", ADMIN, "", ("GET /network-ip-availabilities",)),
    Rule("get_quota", READER, "", ("GET /quotas", "GET /quotas/{project_id}")),
    Rule("update_quota", ADMIN, "", ("PUT /quotas/{project_id}",)),
    Rule("delete_quota", ADMIN, "", ("DELETE /quotas/{project_id}",)),
    *tags("networks", f"{READER} or {SHARED} or {EXTERNAL}"),
    *tags("subnets", f"{READER_OR_NETWORK} or {SHARED} or {EXTERNAL}", MEMBER_OR_NETWORK),
    *tags("ports", READER_OR_NETWORK),
    *tags("policies", f"{READER} or {SHARED}", ADMIN), *tags("trunks"),
    *tags("routers"), *tags("floatingips"),
    *tags("security_groups", f"{READER} or {SHARED}"),
    *tags("security_group_rules"),
    *tags("subnetpools", f"{READER} or {SHARED}"),
    *tags("address_scopes", f"{READER} or {SHARED}"),
    *tags("address_groups", f"{READER} or {SHARED}"),
]  # fmt: skip
