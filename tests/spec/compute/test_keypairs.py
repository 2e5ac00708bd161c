"""Key pairs, as a client meets them."""

from tests.harness import Client

KEYPAIRS = "/compute/v2.1/os-keypairs"
KEY = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N"
    "87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg= someone"
)


def test_a_pair_is_made_and_its_private_half_shown_once(member: Client) -> None:
    made = member.post(KEYPAIRS, {"keypair": {"name": "mine"}}).ok(200)["keypair"]
    assert made["private_key"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert "private_key" not in member.get(f"{KEYPAIRS}/mine").ok(200)["keypair"]


def test_a_public_key_is_imported(member: Client) -> None:
    made = member.at("2.2").post(KEYPAIRS, {"keypair": {"name": "mine", "public_key": KEY, "type": "ssh"}}).ok(201)
    assert made["keypair"]["public_key"] == KEY
    assert len(made["keypair"]["fingerprint"]) == 47


def test_a_public_key_is_shown_as_it_was_sent(member: Client) -> None:
    shown = member.post(KEYPAIRS, {"keypair": {"name": "line", "public_key": f"{KEY}\n"}}).ok()["keypair"]
    assert shown["public_key"] == f"{KEY}\n"


def test_what_is_no_key_is_refused(member: Client) -> None:
    for bad in ("", "ssh-rsa", "ssh-rsa AAAA", "nonsense " + "A" * 100, "ssh-rsa é"):
        member.post(KEYPAIRS, {"keypair": {"name": "bad", "public_key": bad}}).refused(400, "keypair data is invalid")


def test_a_name_is_used_once(member: Client) -> None:
    member.post(KEYPAIRS, {"keypair": {"name": "mine"}}).ok()
    member.post(KEYPAIRS, {"keypair": {"name": "mine"}}).refused(409, "already exists")


def test_another_user_does_not_see_it(member: Client, stranger: Client) -> None:
    member.post(KEYPAIRS, {"keypair": {"name": "mine"}}).ok()
    stranger.get(f"{KEYPAIRS}/mine").refused(404)
    assert stranger.get(KEYPAIRS).ok()["keypairs"] == []


def test_a_list_comes_in_pages(member: Client) -> None:
    for name in "abc":
        member.post(KEYPAIRS, {"keypair": {"name": name}}).ok()
    first = member.at("2.35").get(f"{KEYPAIRS}?limit=2").ok()
    assert [entry["keypair"]["name"] for entry in first["keypairs"]] == ["a", "b"]
    assert "marker=b" in first["keypairs_links"][0]["href"]
    rest = member.at("2.35").get(f"{KEYPAIRS}?limit=2&marker=b").ok()
    assert [entry["keypair"]["name"] for entry in rest["keypairs"]] == ["c"]
    assert "keypairs_links" not in rest


def test_fields_are_named_when_they_are_wrong(member: Client) -> None:
    member.post(KEYPAIRS, {"keypair": {}}).refused(400, "name")
    member.post(KEYPAIRS, {"keypair": {"name": 7}}).refused(400, "name")
    member.post(KEYPAIRS, {"keypair": {"name": "k", "colour": 1}}).refused(400, "colour")
    member.post(KEYPAIRS, {"keypair": {"name": "k", "type": "ssh"}}).refused(400, "type")
    member.post(KEYPAIRS, {"other": {}}).refused(400, "keypair")
    member.request("POST", KEYPAIRS, b"{").refused(400, "JSON")


def test_a_caller_without_token_or_with_a_wrong_one_is_refused(member: Client, anonymous: Client) -> None:
    anonymous.get(KEYPAIRS).refused(401)
    anonymous.get(KEYPAIRS, x_auth_token="gAAAA").refused(401)


def test_versions_outside_the_range_are_refused(member: Client) -> None:
    member.at("2.999").get(KEYPAIRS).refused(406, "2.999")
    member.at("two").get(KEYPAIRS).refused(400, "two")
    answer = member.at("latest").get(KEYPAIRS)
    assert answer.headers["openstack-api-version"].startswith("compute 2.")
