"""Write what vendors publish of their APIs, as far as our recipes use it: `python tools/vendors.py`.

Klaviyo, HubSpot and Mailchimp publish clients that are made from their API descriptions. Out of these are taken the
paths, the query parameters and the names and types of fields, as facts and not as code; the licence of each source is
noted beside them. The tests hold the recipes against them: such a recipe is spec-checked, and not tried on the vendor.
"""

import ast
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PLACE = Path(__file__).resolve().parent.parent / "tests" / "contract" / "vendors"
KLAVIYO, HUBSPOT, MAILCHIMP = "klaviyo-api==25.0.0", "hubspot-api-client==12.0.0", "mailchimp-marketing==3.0.80"
MAILCHIMP_TYPES = "@types/mailchimp__mailchimp_marketing@3.0.22"

KLAVIYO_OPERATIONS = ("get_profiles", "create_or_update_profile", "update_profile")
KLAVIYO_MODELS = (
    "profile_upsert_query_resource_object_attributes",
    "profile_partial_update_query_resource_object",
    "profile_response_object_resource_extended_attributes",
    "profile_location",
)
HUBSPOT_OPERATIONS = (
    ("basic_api", "get_page"),
    ("basic_api", "create"),
    ("batch_api", "read"),
    ("batch_api", "update"),
    ("search_api", "do_search"),
)
HUBSPOT_MODELS = (
    "batch_input_simple_public_object_batch_input",
    "batch_read_input_simple_public_object_id",
    "batch_response_simple_public_object_with_errors",
    "filter",
    "filter_group",
    "public_object_search_request",
    "simple_public_object",
    "simple_public_object_batch_input",
    "simple_public_object_input_for_create",
    "standard_error",
)
MAILCHIMP_OPERATIONS = ("get_list_members_info", "get_list_member", "set_list_member", "update_list_member")
MAILCHIMP_MODELS = ("Body", "SetListMemberBody", "UpdateListMemberBody", "MembersSuccessResponse")


def main() -> int:
    """Fetch the clients and write one file a vendor."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        words = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", folder]
        subprocess.run([*words, KLAVIYO, HUBSPOT, MAILCHIMP], check=True)
        subprocess.run(["npm", "pack", "--silent", MAILCHIMP_TYPES], check=True, cwd=place)
        wheels = {wheel.name.split("-")[0]: zipfile.ZipFile(wheel) for wheel in place.glob("*.whl")}
        with tarfile.open(next(place.glob("*.tgz"))) as packed:
            member = next(name for name in packed.getnames() if name.endswith("index.d.ts"))
            types = packed.extractfile(member).read().decode()  # type: ignore[union-attr]
        _write("klaviyo", _klaviyo(wheels["klaviyo_api"]))
        _write("hubspot", _hubspot(wheels["hubspot_api_client"]))
        _write("mailchimp", _mailchimp(wheels["mailchimp_marketing"], types))
    return 0


def _write(name: str, facts: dict[str, Any]) -> None:
    (PLACE / f"{name}.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def _body(text: str, function: str) -> str:
    """The text of one function of a generated module."""
    start = text.index(f"def {function}(")
    end = text.find("\n    def ", start)
    return text[start : end if end > 0 else None]


def _klaviyo(wheel: zipfile.ZipFile) -> dict[str, Any]:
    text = wheel.read("openapi_client/api/profiles_api.py").decode()
    operations: dict[str, dict[str, Any]] = {}
    for name in KLAVIYO_OPERATIONS:
        body = _body(text, f"_{name}_serialize")
        operations[name] = {
            "method": _one(r"method='(\w+)'", body),
            "path": _one(r"resource_path='([^']+)'", body),
            "query": sorted(set(re.findall(r"_query_params\.append\(\('([^']+)'", body))),
        }
    told = _body(text, "get_profiles")
    allowed = {field: re.findall(r"`([a-z-]+)`", rest) for field, rest in re.findall(r"<br>`([^`]+)`: ([^(<]+)", told)}
    operations["get_profiles"]["filters"] = allowed
    operations["get_profiles"]["size_max"] = int(_one(r"Max: (\d+)", told))
    models = {}
    for name in KLAVIYO_MODELS:
        text = wheel.read(f"openapi_client/models/{name}.py").decode()
        models[name] = ast.literal_eval(_one(r"__properties: ClassVar\[List\[str\]\] = (\[[^\]]*\])", text))
    wrapper = wheel.read("klaviyo_api/wrapper.py").decode()
    return {"source": _source(KLAVIYO, "MIT"), "revision": _one(r"(\d{4}-\d{2}-\d{2})", wrapper)} | {
        "operations": operations,
        "models": models,
    }


def _hubspot(wheel: zipfile.ZipFile) -> dict[str, Any]:
    operations, models = {}, {}
    for module, name in HUBSPOT_OPERATIONS:
        body = _body(wheel.read(f"hubspot/crm/contacts/api/{module}.py").decode(), f"{name}_with_http_info")
        path, method = re.findall(r'call_api\(\s*"([^"]+)",\s*"(\w+)"', body)[0]
        query = sorted(set(re.findall(r'query_params\.append\(\("([^"]+)"', body)))
        operations[f"{module}.{name}"] = {"method": method, "path": path, "query": query}
    for name in HUBSPOT_MODELS:
        text = wheel.read(f"hubspot/crm/contacts/models/{name}.py").decode()
        types, names = _literal(text, "openapi_types"), _literal(text, "attribute_map")
        needed = set(re.findall(r"Invalid value for `(\w+)`, must not be `None`", text))
        models[name] = {
            "types": {json_name: types[own] for own, json_name in names.items()},
            "required": sorted(names[own] for own in needed),
        }
    operators = _one(r"allowed_values = (\[[^\]]*\])", wheel.read("hubspot/crm/contacts/models/filter.py").decode())
    return {"source": _source(HUBSPOT, "Apache-2.0"), "operators": ast.literal_eval(operators)} | {
        "operations": operations,
        "models": models,
    }


def _literal(text: str, name: str) -> dict[str, str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    raise SystemExit(f"There is no {name} in a model any more; look at the client.")


def _mailchimp(wheel: zipfile.ZipFile, types: str) -> dict[str, Any]:
    text = wheel.read("mailchimp_marketing/api/lists_api.py").decode()
    operations: dict[str, dict[str, Any]] = {}
    for name in MAILCHIMP_OPERATIONS:
        body = _body(text, f"{name}_with_http_info")
        path, method = re.findall(r"call_api\(\s*'([^']+)', '(\w+)'", body)[0]
        query = sorted(set(re.findall(r"query_params\.append\(\('([^']+)'", body)))
        operations[name] = {"method": method, "path": path, "query": query}
    operations["get_list_members_info"]["size_max"] = int(
        _one(r"number of records to return\. .*?Maximum value is (\d+)", _body(text, "get_list_members_info"))
    )
    statuses = re.findall(r'"(\w+)"', _one(r"type Status =([^;]+);", types))
    return {
        "source": f"{_source(MAILCHIMP, 'Apache-2.0')}; names of body fields from npm {MAILCHIMP_TYPES} (MIT)",
        "operations": operations,
        "models": {name: dict(_interface(types, name)) for name in MAILCHIMP_MODELS},
        "statuses": statuses,
    }


def _interface(types: str, name: str) -> Iterator[tuple[str, str]]:
    pattern = rf"^( *)(?:export )?interface {name}(?: extends \w+)? \{{(.*?)\n\1\}}"
    depth, body = max(re.findall(pattern, types, re.DOTALL | re.MULTILINE), key=lambda one: len(one[1]))
    yield from re.findall(rf"^{depth}    (\w+)\??: ([^;]+);", body, re.MULTILINE)


def _one(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.DOTALL)
    if found is None:
        raise SystemExit(f"Nothing is like {pattern} any more; look at the client.")
    return found[1]


def _source(package: str, licence: str) -> str:
    return f"facts taken from PyPI {package} ({licence})"


if __name__ == "__main__":
    sys.exit(main())
