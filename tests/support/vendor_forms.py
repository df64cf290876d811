"""Klaviyo, HubSpot and Mailchimp, as far as the recipes use them and their descriptions say."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from tests.support.vendors import POISON, Answer, Asked, Described, Person, Vendor, md5_of, must, text_time

SEARCH_MAX = 10_000


class Klaviyo(Vendor):
    """JSON:API; an omitted attribute stays, null empties; a filter by time is strictly greater."""

    name = "klaviyo"
    plain = ("email", "phone_number", "external_id", "first_name", "last_name", "organization", "title", "locale")

    def id_of(self, number: int, _fields: Mapping[str, Any]) -> str:
        return f"01KLAVIYO{number}"

    def writes(self, asked: Asked) -> bool:
        return asked.method != "GET"

    def refusal(self, status: int, code: str, where: str | None = None) -> Answer:
        error: dict[str, Any] = {"id": "1", "status": status, "code": code, "title": code, "detail": f"{POISON} {code}"}
        return status, {"errors": [error | ({"source": {"pointer": where}} if where else {})]}

    def answer(self, asked: Asked) -> Answer:
        must(asked.headers.get("revision") == self.said["revision"], "the revision")
        one = re.fullmatch(r"/api/profiles/(\w+)", asked.path)
        if asked.path == "/api/profiles":
            return self._listed(asked)
        if one is not None:
            self.operation("update_profile", asked)
            if one[1] not in self.people:
                return self.refusal(404, "not_found")
            must(asked.body["data"].get("id") == one[1], "the id in the body")
            return self._written(asked, self.people[one[1]], 200)
        must(asked.path == "/api/profile-import", "the path")
        self.operation("create_or_update_profile", asked)
        email = asked.body["data"]["attributes"].get("email")
        known = next((each for each in self.people.values() if email and each.fields.get("email") == email), None)
        return self._written(asked, known or self.people[self.add({})], 200 if known else 201)

    def _listed(self, asked: Asked) -> Answer:
        described = self.operation("get_profiles", asked)
        size = int(asked.query.get("page[size]", "20"))
        must(1 <= size <= described["size_max"], "the page size")
        wanted = asked.query["fields[profile]"].split(",")
        for name in wanted:
            must(
                name.split(".")[0] in self.said["models"]["profile_response_object_resource_extended_attributes"], name
            )
        found = self._filtered(asked.query.get("filter"), described["filters"])
        key = asked.query.get("sort", "id")
        found = sorted(found, key=lambda each: (getattr(each, key), each.id))
        start = int(asked.query.get("page[cursor]", "0"))
        page, rest = found[start : start + size], found[start + size :]
        following = f"{self.url}/api/profiles?{self._again(asked, start + size)}" if rest else None
        return 200, {"data": [self._shown(each, wanted) for each in page], "links": {"next": following, "prev": None}}

    def _again(self, asked: Asked, start: int) -> str:
        return urlencode({**asked.query, "page[cursor]": str(start)})

    def _filtered(self, text: str | None, allowed: Mapping[str, list[str]]) -> list[Person]:
        people = list(self.people.values())
        if text is None:
            return people
        found = re.fullmatch(r"([a-z-]+)\(([a-z_]+),(.*)\)", text)
        must(found, "the filter")
        assert found is not None
        operator, name, value = found.groups()
        must(operator in allowed.get(name, ()), f"the filter {operator} of {name}")
        if operator == "greater-than":
            since = datetime.fromisoformat(value)
            return [each for each in people if getattr(each, name) > since]
        values = json.loads(value)
        return [each for each in people if (each.id if name == "id" else each.fields.get(name)) in values]

    def _shown(self, person: Person, wanted: Iterable[str]) -> dict[str, Any]:
        attributes: dict[str, Any] = {name: person.fields.get(name) for name in self.plain if name in wanted}
        attributes |= {"created": text_time(person.created), "updated": text_time(person.updated)}
        if "properties" in wanted:
            own = {name: value for name, value in person.fields.items() if name.startswith("properties.")}
            attributes["properties"] = {name.removeprefix("properties."): value for name, value in own.items()}
        return {"type": "profile", "id": person.id, "attributes": attributes}

    def _written(self, asked: Asked, person: Person, status: int) -> Answer:
        data = asked.body["data"]
        must(data["type"] == "profile" and set(data) <= {"type", "id", "attributes", "meta"}, "the resource")
        given: dict[str, Any] = {}
        for name, value in data["attributes"].items():
            must(name in self.said["models"]["profile_upsert_query_resource_object_attributes"], name)
            if name == "properties":
                given |= {f"properties.{key}": one for key, one in value.items()}
            else:
                must(value is None or isinstance(value, str), f"the type of {name}")
                given[name] = value
        for name, value in given.items():
            if isinstance(value, str) and POISON in value:
                return self.refusal(400, "invalid", f"/data/attributes/{name.replace('.', '/')}")
            if name == "email" and any(p.fields.get(name) == value and p is not person for p in self.people.values()):
                return self.refusal(409, "duplicate_profile")
        self.change(person.id, given)
        return status, {"data": self._shown(person, (*self.plain, "properties"))}


class HubSpot(Vendor):
    """Every value is a text, an empty one empties; batches answer 207 with what failed, or 400 as a whole."""

    name = "hubspot"
    plain = ("email", "firstname", "lastname", "phone", "mobilephone", "company", "city", "state", "zip", "country")
    base = "/crm/v3/objects/contacts"

    def empty(self) -> dict[str, Any]:
        return {"properties.tier": None}

    def writes(self, asked: Asked) -> bool:
        return asked.method == "POST" and not asked.path.endswith(("/search", "/batch/read"))

    def refusal(self, status: int, code: str, where: str | None = None) -> Answer:
        word = {"invalid": "VALIDATION_ERROR", "permission_denied": "MISSING_SCOPES"}.get(code, code.upper())
        detail = {"message": f"{POISON} was not valid", "context": {"propertyName": [where]} if where else {}}
        return status, {"status": "error", "category": word, "message": POISON, "errors": [detail]}

    def answer(self, asked: Asked) -> Answer:
        if asked.path == self.base and asked.method == "GET":
            return self._listed(asked)
        if asked.path == self.base:
            self.operation("basic_api.create", asked)
            self._model("simple_public_object_input_for_create", asked.body)
            return self._made(asked.body["properties"])
        if asked.path == f"{self.base}/search":
            return self._searched(asked)
        if asked.path == f"{self.base}/batch/read":
            return self._read(asked)
        must(asked.path == f"{self.base}/batch/update", "the path")
        return self._updated(asked)

    def _model(self, name: str, body: Mapping[str, Any]) -> None:
        described = self.said["models"][name]
        kinds = {"str": str, "int": int, "list": list, "dict": dict}
        for key in described["required"]:
            must(key in body, f"{key} is missing in {name}")
        for key, value in body.items():
            must(key in described["types"], f"{key} in {name}")
            must(isinstance(value, kinds[described["types"][key].split("[")[0]]), f"the type of {key}")

    def _listed(self, asked: Asked) -> Answer:
        self.operation("basic_api.get_page", asked)
        must(int(asked.query["limit"]) <= 100, "the limit")
        names = asked.query["properties"].split(",")
        return 200, self._paged(list(self.people.values()), asked.query.get("after"), int(asked.query["limit"]), names)

    def _searched(self, asked: Asked) -> Answer:
        self.operation("search_api.do_search", asked)
        self._model("public_object_search_request", asked.body)
        (group,) = asked.body["filterGroups"]
        self._model("filter_group", group)
        (one,) = group["filters"]
        self._model("filter", one)
        must(one["operator"] == "GTE" and one["operator"] in self.said["operators"], "the operator")
        must(one["propertyName"] == "lastmodifieddate" and asked.body["sorts"] == ["lastmodifieddate"], "the sort")
        since = datetime.fromtimestamp(int(one["value"]) / 1000, UTC)
        found = sorted((p for p in self.people.values() if p.updated >= since), key=lambda p: (p.updated, p.id))
        after = asked.body.get("after")
        if int(after or 0) >= self.search_max:
            return self.refusal(400, "invalid")
        return 200, self._paged(found, after, asked.body["limit"], asked.body["properties"])

    search_max = SEARCH_MAX

    def _paged(self, found: list[Person], after: str | None, size: int, names: Iterable[str]) -> dict[str, Any]:
        start = int(after or 0)
        page = {"results": [self._shown(each, names) for each in found[start : start + size]]}
        return page | ({"paging": {"next": {"after": str(start + size)}}} if len(found) > start + size else {})

    def _read(self, asked: Asked) -> Answer:
        self.operation("batch_api.read", asked)
        self._model("batch_read_input_simple_public_object_id", asked.body)
        key, wanted = asked.body.get("idProperty"), [each["id"] for each in asked.body["inputs"]]
        must(len(wanted) <= 100, "the size of the batch")
        found = [p for p in self.people.values() if (p.fields.get(key) if key else p.id) in wanted]
        return 200, self._batch([self._shown(each, asked.body["properties"]) for each in found], [])

    def _batch(self, results: list[Any], errors: list[Any]) -> dict[str, Any]:
        times = {"startedAt": text_time(self.now()), "completedAt": text_time(self.now())}
        return {"status": "COMPLETE", "results": results, **times} | ({"errors": errors} if errors else {})

    def _updated(self, asked: Asked) -> Answer:
        self.operation("batch_api.update", asked)
        self._model("batch_input_simple_public_object_batch_input", asked.body)
        must(len(asked.body["inputs"]) <= 100, "the size of the batch")
        ids = [each["id"] for each in asked.body["inputs"]]
        must(len(set(ids)) == len(ids), "one record twice in a batch")
        for each in asked.body["inputs"]:
            self._model("simple_public_object_batch_input", each)
            refused = self._unfit(each["properties"])
            if refused is not None:
                return refused
        gone = [each for each in ids if each not in self.people]
        for each in asked.body["inputs"]:
            if each["id"] in self.people:
                self.change(each["id"], self._stored(each["properties"]))
        errors = [{"status": "error", "category": "OBJECT_NOT_FOUND", "message": "", "context": {"ids": gone}}]
        shown = [self._shown(self.people[each], self.plain) for each in ids if each in self.people]
        return 207 if gone else 200, self._batch(shown, errors if gone else [])

    def _made(self, properties: Mapping[str, Any]) -> Answer:
        refused = self._unfit(properties)
        if refused is not None:
            return refused
        taken = {each.fields.get("email") for each in self.people.values()} - {None}
        if properties.get("email") in taken:
            return self.refusal(409, "conflict")
        return 201, self._shown(self.people[self.add(self._stored(properties))], self.plain)

    def _unfit(self, properties: Mapping[str, Any]) -> Answer | None:
        for name, value in properties.items():
            must(isinstance(value, str), f"the type of {name}")
            if POISON in value or self._own(name) not in (*self.plain, "properties.tier"):
                return self.refusal(400, "invalid", name)
        return None

    def _own(self, name: str) -> str:
        return name if name in self.plain else f"properties.{name}"

    def _stored(self, properties: Mapping[str, str]) -> dict[str, Any]:
        return {self._own(name): value or None for name, value in properties.items()}

    def _shown(self, person: Person, names: Iterable[str]) -> dict[str, Any]:
        known = {name: self._own(name) for name in names if name in self.plain or self._own(name) in person.fields}
        properties = {name: person.fields.get(own) for name, own in known.items()}
        times = {"createdAt": text_time(person.created), "updatedAt": text_time(person.updated)}
        return {"id": person.id, "properties": properties, "archived": False, **times}


class Mailchimp(Vendor):
    """Members of an audience: the contact_id stays, a merge field is emptied by an empty text."""

    name = "mailchimp"
    base = "/3.0/lists/abc123/members"

    def id_of(self, number: int, _fields: Mapping[str, Any]) -> str:
        return f"c0ffee{number}"

    def empty(self) -> dict[str, Any]:
        merge = dict.fromkeys(("merge_fields.FNAME", "merge_fields.LNAME", "merge_fields.PHONE"), "")
        return {"status": "subscribed", "language": "", "vip": False, **merge}

    def secret_of(self, asked: Asked) -> str:
        return base64.b64decode(super().secret_of(asked)).decode().rpartition(":")[2]

    def refusal(self, status: int, code: str, where: str | None = None) -> Answer:
        title = "Invalid Resource" if code == "invalid" else code
        errors = [{"field": where, "message": POISON}] if where else []
        return status, {"type": "error", "title": title, "status": status, "detail": POISON, "errors": errors}

    def answer(self, asked: Asked) -> Answer:
        if asked.path == self.base:
            return self._listed(asked)
        found = re.fullmatch(re.escape(self.base) + r"/(\w+)", asked.path)
        must(found, "the path")
        assert found is not None
        named = (p for p in self.people.values() if found[1] in (p.id, md5_of(p.fields["email_address"])))
        person = next(named, None)
        if asked.method == "PUT":
            return self._put(asked, person, found[1])
        if person is None:
            return self.refusal(404, "Resource Not Found")
        if asked.method == "GET":
            self.operation("get_list_member", asked)
            return 200, self._shown(person, asked.query["fields"].split(","))
        self.operation("update_list_member", asked)
        return self._written(asked, person)

    def _listed(self, asked: Asked) -> Answer:
        described = self.operation("get_list_members_info", asked)
        must(int(asked.query["count"]) <= described["size_max"], "the count")
        must(asked.query["sort_field"] in ("timestamp_opt", "timestamp_signup", "last_changed"), "the sort field")
        since = asked.query.get("since_last_changed")
        people = [p for p in self.people.values() if since is None or p.updated > datetime.fromisoformat(since)]
        start, size = int(asked.query["offset"]), int(asked.query["count"])
        names = [name.removeprefix("members.") for name in asked.query["fields"].split(",")]
        return 200, {"members": [self._shown(p, names) for p in people[start : start + size]]}

    def _put(self, asked: Asked, person: Person | None, name: str) -> Answer:
        self.operation("set_list_member", asked)
        for key in self.said["models"]["SetListMemberBody"]:
            must(key in asked.body, f"{key} is missing")
        must(asked.body["status_if_new"] in self.said["statuses"], "the status")
        must(md5_of(asked.body["email_address"]) == name, "the name of the member")
        if person is None:
            status = asked.body["status_if_new"]
            person = self.people[self.add({"status": status, "email_address": asked.body["email_address"]})]
        return self._written(asked, person)

    def _written(self, asked: Asked, person: Person) -> Answer:
        given: dict[str, Any] = {}
        known = {*self.said["models"]["Body"], *self.said["models"]["SetListMemberBody"]}
        for name, value in asked.body.items():
            must(name in known, name)
            given |= (
                {f"merge_fields.{key}": one for key, one in value.items()} if name == "merge_fields" else {name: value}
            )
        given.pop("status_if_new", None)
        must(given.get("status", "subscribed") in self.said["statuses"], "the status")
        for name, value in given.items():
            if isinstance(value, str) and POISON in value:
                return self.refusal(400, "invalid", name.removeprefix("merge_fields."))
            must(value is not None, f"null in {name}")
        self.change(person.id, given)
        return 200, self._shown(person, ("email_address", "status", "language", "vip", "merge_fields"))

    def _shown(self, person: Person, names: Iterable[str]) -> dict[str, Any]:
        own = {name.partition(".")[2]: v for name, v in person.fields.items() if name.startswith("merge_fields.")}
        names = list(names)
        asked = {name.partition(".")[2] for name in names if name.startswith("merge_fields.")}
        merge = own if "merge_fields" in names else {name: value for name, value in own.items() if name in asked}
        plain = {name: person.fields.get(name) for name in ("email_address", "status", "language", "vip")}
        times = {"last_changed": text_time(person.updated), "timestamp_signup": text_time(person.created)}
        shown = {name: value for name, value in plain.items() if name in names}
        for name in shown:
            if name not in self.said["models"]["MembersSuccessResponse"]:
                raise Described(f"{name} in an answer")
        return {"contact_id": person.id, **shown, "merge_fields": merge, **times}
