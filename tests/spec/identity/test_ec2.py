"""EC2 credentials, and who signed what: version 1, 2 and 4 of EC2's signatures, and S3's."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pileus.core.errors import BadRequest, Unauthorized
from pileus.identity.delegation import signatures
from tests.harness import Answer, Client, World
from tests.spec.identity.identities import auth, caller, make

SECRET = "a secret worth keeping"
# AWS's own examples ("Examples of signed Signature Version 4 requests", "Example: Signature Calculations"), public
ACCESS, KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
S3_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EMPTY = hashlib.sha256(b"").hexdigest()


def v4(**change: Any) -> dict[str, Any]:
    """AWS's test suite for version 4, `get-vanilla`."""
    stamp, scope = "20150830T123600Z", "20150830/us-east-1/service/aws4_request"
    signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    said = f"AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}"
    return {
        "access": ACCESS, "signature": signature, "host": "example.amazonaws.com", "verb": "GET", "path": "/", "params": {},
        "headers": {"Host": "example.amazonaws.com", "X-Amz-Date": stamp, "Authorization": said}, "body_hash": EMPTY,
        **change,
    }  # fmt: skip


def test_amazons_own_example_of_version_4() -> None:
    signatures.check_ec2(signatures.parse({"credentials": v4()}), KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"verb": "PUT"}, {"path": "/x"}, {"params": {"a": "b"}}, {"body_hash": "0" * 64}, {"signature": "0" * 64},
        {"headers": {**v4()["headers"], "Host": "example.org"}},
        {"headers": {**v4()["headers"], "X-Amz-Date": "20150831T123600Z"}},
        {"headers": {**v4()["headers"], "X-Amz-Date": "20150830"}},
        {"headers": {**v4()["headers"], "Authorization": "AWS4-HMAC-SHA256"}},
        {"headers": {"Authorization": v4()["headers"]["Authorization"]}},
        {"signature": ""},
    ],
)  # fmt: skip
def test_a_request_that_was_changed_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        signatures.check_ec2(signatures.parse({"credentials": v4(**change)}), KEY)


def test_amazons_example_of_a_request_with_parameters() -> None:
    """`get-vanilla-query-order-key-case` of the test suite."""
    signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
    said = v4()["headers"]["Authorization"].rpartition("=")[0] + f"={signature}"
    asked = v4(signature=signature, params={"Param2": "value2", "Param1": "value1"})
    asked["headers"]["Authorization"] = said
    signatures.check_ec2(signatures.parse({"ec2Credentials": asked}), KEY)


def test_version_4_in_the_address() -> None:
    """Amazon's example of a presigned address (S3's documentation), whose payload nobody signs."""
    scope = "20130524/us-east-1/s3/aws4_request"
    params = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"AKIAIOSFODNN7EXAMPLE/{scope}",
        "X-Amz-Date": "20130524T000000Z", "X-Amz-Expires": "86400", "X-Amz-SignedHeaders": "host",
    }  # fmt: skip
    asked = {
        "access": "AKIAIOSFODNN7EXAMPLE", "verb": "GET", "path": "/test.txt", "params": params,
        "headers": {"host": "examplebucket.s3.amazonaws.com"}, "body_hash": "UNSIGNED-PAYLOAD",
        "signature": "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    }  # fmt: skip
    signatures.check_ec2(signatures.parse({"credentials": asked}), S3_KEY)


def test_amazons_example_of_version_2() -> None:
    """The EC2 developer guide's DescribeJobFlows."""
    params = {
        "AWSAccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Action": "DescribeJobFlows", "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2", "Timestamp": "2011-10-03T15:19:30", "Version": "2009-03-31",
    }  # fmt: skip
    asked = {
        "access": "AKIAIOSFODNN7EXAMPLE", "host": "elasticmapreduce.amazonaws.com", "verb": "GET", "path": "/",
        "params": params, "signature": "i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf/Mj6vPxyYIs=",
    }  # fmt: skip
    signatures.check_ec2(signatures.parse({"credential": asked}), S3_KEY)
    asked["host"] += ":443"
    signatures.check_ec2(signatures.parse({"credential": asked}), S3_KEY)
    asked["host"] = "elsewhere:443"
    with pytest.raises(Unauthorized):
        signatures.check_ec2(signatures.parse({"credential": asked}), S3_KEY)


def test_amazons_example_of_s3_version_4() -> None:
    text = (
        "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
        "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972"
    )
    asked = {
        "access": "AKIAIOSFODNN7EXAMPLE", "token": base64.urlsafe_b64encode(text.encode()).decode(),
        "signature": "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    }  # fmt: skip
    signatures.check_s3(signatures.parse({"credentials": asked}), S3_KEY)


def test_amazons_example_of_s3_version_2() -> None:
    text = "GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/awsexamplebucket1/photos/puppy.jpg"
    asked = {
        "access": "AKIAIOSFODNN7EXAMPLE", "token": base64.urlsafe_b64encode(text.encode()).decode(),
        "signature": "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
    }  # fmt: skip
    signatures.check_s3(signatures.parse({"credentials": asked}), S3_KEY)
    asked["signature"] = "AAAA" + asked["signature"][4:]
    with pytest.raises(Unauthorized):
        signatures.check_s3(signatures.parse({"credentials": asked}), S3_KEY)


@settings(max_examples=60, deadline=None)
@given(
    given=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=12),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["access", "signature", "host", "verb", "path", "params", "headers", "body_hash", "token",
                             "SignatureVersion", "X-Amz-Algorithm", "Authorization", "X-Amz-Date", "Timestamp", "x"]),
            inner | st.sampled_from(["1", "2", "4", "AWS4-HMAC-SHA256", "20150830T123600Z", "a/b/c/d/aws4_request"]),
            max_size=9,
        ),
        max_leaves=12,
    )
)  # fmt: skip
def test_nonsense_is_refused(given: Any) -> None:
    for check in (signatures.check_ec2, signatures.check_s3):
        with pytest.raises((Unauthorized, BadRequest)):
            parsed = signatures.parse({"credentials": given})
            signatures.check_time(parsed)
            check(parsed, "secret")


# -- through the API -----------------------------------------------------------------------------------------------------


@pytest.fixture
def service(world: World) -> Client:
    return world.client("service")


def pair(client: Client, **change: Any) -> Answer:
    body = {"tenant_id": client.project_id, **change}
    return client.post(f"/v3/users/{client.user_id}/credentials/OS-EC2", body)


def s3(made: dict[str, Any], text: str = "GET\n\n\n\n/bucket") -> dict[str, Any]:
    mac = hmac.new(made["secret"].encode(), text.encode(), hashlib.sha1).digest()
    token = base64.urlsafe_b64encode(text.encode()).decode()
    return {"credentials": {"access": made["access"], "token": token, "signature": base64.b64encode(mac).decode()}}


def ec2(made: dict[str, Any], age: timedelta = timedelta()) -> dict[str, Any]:
    """A request signed in the manner of version 2."""
    stamp = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    params = {
        "Action": "X", "SignatureMethod": "HmacSHA256", "SignatureVersion": "2", "Timestamp": stamp.replace(":", "%3A"),
    }  # fmt: skip
    text = "GET\ncloud.test\n/\n" + "&".join(f"{key}={value}" for key, value in sorted(params.items()))
    mac = hmac.new(made["secret"].encode(), text.encode(), hashlib.sha256).digest()
    asked = {"access": made["access"], "host": "cloud.test:8773", "verb": "GET", "path": "/"}
    params["Timestamp"] = stamp
    return {"credentials": {**asked, "params": params, "signature": base64.b64encode(mac).decode()}}


def test_a_pair_is_made_shown_and_deleted(member: Client, stranger: Client, admin: Client) -> None:
    made = pair(member).ok(201)["credential"]
    at = f"/v3/users/{member.user_id}/credentials/OS-EC2/{made['access']}"
    assert made["links"]["self"].endswith(at) and made["tenant_id"] == member.project_id and made["trust_id"] is None
    assert member.get(at).ok()["credential"] == admin.get(at).ok()["credential"] == made
    assert member.get(f"/v3/users/{member.user_id}/credentials/OS-EC2").ok()["credentials"] == [made]
    stored = hashlib.sha256(made["access"].encode()).hexdigest()
    assert json.loads(member.get(f"/v3/credentials/{stored}").ok()["credential"]["blob"])["secret"] == made["secret"]
    for client, method, path in ((stranger, "GET", at), (stranger, "DELETE", at)):
        client.request(method, path).refused(403)
    stranger.get(f"/v3/users/{member.user_id}/credentials/OS-EC2").refused(403)
    stranger.post(f"/v3/users/{member.user_id}/credentials/OS-EC2", {"tenant_id": member.project_id}).refused(403)
    # whose it is counts, not whose the path says
    stranger.get(f"/v3/users/{stranger.user_id}/credentials/OS-EC2/{made['access']}").refused(403)
    assert admin.get(f"/v3/users/{admin.user_id}/credentials/OS-EC2/{made['access']}").ok()["credential"] == made
    member.delete(at).ok(204)
    member.get(at).refused(404)
    admin.get("/v3/users/none/credentials/OS-EC2").refused(404)


@pytest.mark.parametrize(("body", "status"), [({}, 400), ({"tenant_id": 7}, 400), ({"tenant_id": "none"}, 404)])
def test_a_pair_is_for_a_project(member: Client, body: dict[str, Any], status: int) -> None:
    member.post(f"/v3/users/{member.user_id}/credentials/OS-EC2", body).refused(status)


def test_a_reader_makes_no_pairs(reader: Client) -> None:
    pair(reader).refused(403)
    reader.get(f"/v3/users/{reader.user_id}/credentials/OS-EC2").ok()


def test_a_service_learns_who_signed(service: Client, member: Client, anonymous: Client) -> None:
    made = pair(member).ok(201)["credential"]
    answer = service.post("/v3/ec2tokens", ec2(made))
    token = answer.ok(200)["token"]
    assert token["methods"] == ["ec2credential"] and token["user"]["id"] == member.user_id
    assert token["project"]["id"] == member.project_id
    anonymous.get("/v3/auth/projects", x_auth_token=answer.headers["x-subject-token"]).ok()
    seen = service.post("/v3/s3tokens", s3(made))
    assert seen.ok(200)["token"]["user"]["id"] == member.user_id and "x-subject-token" not in seen.headers
    for path, body in (("/v3/ec2tokens", ec2(made)), ("/v3/s3tokens", s3(made))):
        member.post(path, body).refused(403)  # who holds a presigned address must not get a token for it
        anonymous.post(path, body).refused(401)
        service.post(path, {}).refused(400, "body")
        service.post(path, {"credentials": {}}).refused(401, "signature")
        unknown = {"credentials": {**body["credentials"], "access": "unknown"}}
        service.post(path, unknown).refused(404, "access key")
        changed = {"credentials": {**body["credentials"], "signature": "x"}}
        service.post(path, changed).refused(401, "signature")


def test_version_2_says_the_same_in_its_own_form(
    world: World, service: Client, member: Client, admin: Client, anonymous: Client
) -> None:
    made = pair(member).ok(201)["credential"]
    for path, body in (("/v2.0/ec2tokens", ec2(made)), ("/v2.0/s3tokens", s3(made))):
        found = service.post(path, body).ok(200)["access"]
        assert found["user"]["id"] == member.user_id and found["token"]["tenant"]["id"] == member.project_id
        anonymous.get("/v3/auth/projects", x_auth_token=found["token"]["id"]).ok()
        member.post(path, body).refused(403)
    domain = make(admin, "domain")
    user = make(admin, "user", domain_id=domain["id"])
    admin.put(f"/v3/projects/{member.project_id}/users/{user['id']}/roles/{world.roles['member']}").ok()
    asked = {"tenant_id": member.project_id}
    other = admin.post(f"/v3/users/{user['id']}/credentials/OS-EC2", asked).ok(201)["credential"]
    service.post("/v3/s3tokens", s3(other)).ok()
    service.post("/v2.0/s3tokens", s3(other)).refused(401)


def test_a_signature_is_good_for_a_quarter_of_an_hour(service: Client, member: Client) -> None:
    made = pair(member).ok(201)["credential"]
    service.post("/v3/ec2tokens", ec2(made, timedelta(minutes=14))).ok()
    service.post("/v3/ec2tokens", ec2(made, timedelta(minutes=16))).refused(401, "expired")
    body = s3(made)
    body["credentials"]["params"] = {"Timestamp": "yesterday"}
    service.post("/v3/s3tokens", body).refused(401, "timestamp")


def test_a_pair_of_a_disabled_user_or_project_is_no_good(world: World, service: Client, admin: Client) -> None:
    for what in ("user", "project"):
        owner = world.client("member")
        made = pair(owner).ok(201)["credential"]
        service.post("/v3/s3tokens", s3(made)).ok()
        at = f"/v3/{what}s/{owner.user_id if what == 'user' else owner.project_id}"
        admin.patch(at, {what: {"enabled": False}}).ok()
        service.post("/v3/s3tokens", s3(made)).refused(401)


def test_credentials_of_other_types_sign_nothing(service: Client, member: Client) -> None:
    blob = json.dumps({"access": "a" * 20, "secret": "s"})
    member.post("/v3/credentials", {"credential": {"type": "cert", "blob": blob}}).ok(201)
    service.post("/v3/s3tokens", s3({"access": "a" * 20, "secret": "s"})).refused(404)
    body = {"type": "ec2", "blob": json.dumps({"access": "no secret"}), "project_id": member.project_id}
    member.post("/v3/credentials", {"credential": body}).ok(201)
    service.post("/v3/s3tokens", s3({"access": "no secret", "secret": "s"})).refused(401)


# -- pairs made by delegation --------------------------------------------------------------------------------------------


@pytest.fixture
def people(world: World, admin: Client, anonymous: Client) -> tuple[Client, Client, str]:
    """A trustor with member and reader on a project, a trustee without any role, and the project."""
    project, trustor, trustee = make(admin, "project"), *(make(admin, "user", password=SECRET) for _ in range(2))
    for role in ("member", "reader"):
        admin.put(f"/v3/projects/{project['id']}/users/{trustor['id']}/roles/{world.roles[role]}").ok()
    own = caller(anonymous, trustor["id"], SECRET, {"project": {"id": project["id"]}})
    return own, caller(anonymous, trustee["id"], SECRET), project["id"]


@pytest.mark.parametrize("impersonation", [True, False])
def test_a_pair_made_by_a_trust_is_for_its_trust(
    people: tuple[Client, Client, str], service: Client, impersonation: bool
) -> None:
    trustor, trustee, project_id = people
    body = {
        "trustor_user_id": trustor.user_id, "trustee_user_id": trustee.user_id, "project_id": project_id,
        "impersonation": impersonation, "roles": [{"name": "member"}],
    }  # fmt: skip
    trust = trustor.post("/v3/OS-TRUST/trusts", {"trust": body}).ok(201)["trust"]
    scope = {"OS-TRUST:trust": {"id": trust["id"]}}
    secret = trustee.post("/v3/auth/tokens", auth(trustee.user_id, SECRET, scope)).headers["x-subject-token"]
    acts_as = trustor.user_id if impersonation else trustee.user_id
    acting = Client(trustee.application, secret, user_id=acts_as, project_id=project_id)
    made = pair(acting).ok(201)["credential"]
    assert made["trust_id"] == trust["id"]
    token = service.post("/v3/ec2tokens", ec2(made)).ok()["token"]
    assert token["OS-TRUST:trust"]["id"] == trust["id"] and token["user"]["id"] == acts_as
    pair(acting, tenant_id="another").refused(403, "delegation")
    trustor.delete(f"/v3/OS-TRUST/trusts/{trust['id']}").ok()
    service.post("/v3/ec2tokens", ec2(made)).refused(401)


def test_a_pair_made_by_an_application_credential_is_no_more_than_it(
    people: tuple[Client, Client, str], service: Client, anonymous: Client
) -> None:
    own, _, project_id = people
    at = f"/v3/users/{own.user_id}/application_credentials"
    for name, unrestricted in (("a", False), ("b", True)):
        asked = {"name": name, "unrestricted": unrestricted, "roles": [{"name": "member"}]}
        found = own.post(at, {"application_credential": asked}).ok(201)["application_credential"]
        method = {"id": found["id"], "secret": found["secret"]}
        identity = {"methods": ["application_credential"], "application_credential": method}
        secret = anonymous.post("/v3/auth/tokens", {"auth": {"identity": identity}}).headers["x-subject-token"]
        acting = Client(anonymous.application, secret, user_id=own.user_id, project_id=project_id)
        blob = json.dumps({"access": f"{name}-{project_id}", "secret": "s"})
        stored = {"credential": {"type": "ec2", "blob": blob, "project_id": project_id}}
        if not unrestricted:
            pair(acting).refused(403)
            acting.post("/v3/credentials", stored).refused(403)
            continue
        row = acting.post("/v3/credentials", stored).ok(201)["credential"]
        assert json.loads(row["blob"])["app_cred_id"] == found["id"]
        acting.patch(f"/v3/credentials/{row['id']}", {"credential": {"blob": blob}}).refused(400, "delegated")
        made = pair(acting).ok(201)["credential"]
        token = service.post("/v3/ec2tokens", ec2(made)).ok()["token"]
        assert token["application_credential"]["id"] == found["id"]
        own.delete(f"{at}/{found['id']}").ok()
        service.post("/v3/ec2tokens", ec2(made)).refused(401)


@pytest.mark.parametrize("key", ["trust_id", "app_cred_id", "access_token_id"])
def test_nobody_says_by_what_a_pair_is_delegated(member: Client, key: str) -> None:
    blob = json.dumps({"access": f"of {key}", "secret": "s", key: "0" * 32})
    body = {"credential": {"type": "ec2", "blob": blob, "project_id": member.project_id}}
    member.post("/v3/credentials", body).refused(400, "delegated")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    blob=st.one_of(
        st.text(max_size=30), st.sampled_from(["[]", "null", "1", '{"access": 1}', '{"access": ""}', "{" * 3000])
    )
)
def test_a_blob_that_is_no_pair_is_refused(member: Client, blob: str) -> None:
    body = {"credential": {"type": "ec2", "blob": blob, "project_id": member.project_id}}
    member.post("/v3/credentials", body).refused(400)
