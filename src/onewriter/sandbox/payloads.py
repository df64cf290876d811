"""The bodies of webhooks, key for key as Shopify documents them."""

from datetime import UTC, datetime
from typing import Any

from onewriter.sandbox.customer import Address, Consent, Customer, consent_text, gid, shop_text

Body = dict[str, Any]


def customer(record: Customer, *, denied: bool = False) -> Body:
    """`customers/create`, `update`, `enable` and `disable`. An app without protected data gets nulls in their place."""
    email, phone = (None, None) if denied else (record.email, record.phone)
    first, last = (None, None) if denied else (record.first_name, record.last_name)
    addresses = [_address(record.id, each, place == 0, denied) for place, each in enumerate(record.addresses)]
    return {
        "id": record.id,
        "created_at": shop_text(record.created_at),
        "updated_at": shop_text(record.updated_at),
        "first_name": first,
        "last_name": last,
        "state": record.state.lower(),
        "note": record.note,
        "verified_email": record.verified_email,
        "multipass_identifier": None,
        "tax_exempt": record.tax_exempt,
        "email": email,
        "phone": phone,
        "currency": "USD",
        "addresses": addresses,
        "tax_exemptions": [],
        "admin_graphql_api_id": gid("Customer", record.id),
        # A customer without any address has no such key in live payloads, but Shopify documents it; null says the same.
        "default_address": addresses[0] if addresses else None,
    }


def _address(customer_id: int, address: Address, default: bool, denied: bool) -> Body:
    def shown(text: str | None) -> str | None:
        return None if denied else text

    name = " ".join(part for part in (address.first_name, address.last_name) if part)
    return {
        "id": address.id,
        "customer_id": customer_id,
        "first_name": shown(address.first_name),
        "last_name": shown(address.last_name),
        "company": shown(address.company),
        "address1": shown(address.address1),
        "address2": shown(address.address2),
        "city": shown(address.city),
        "province": address.province,
        "country": address.country,
        "zip": shown(address.zip),
        "phone": shown(address.phone),
        "name": shown(name),
        "province_code": address.province_code,
        "country_code": address.country_code,
        "country_name": address.country,
        "default": default,
    }


def deleted(customer_id: int) -> Body:
    return {"id": customer_id, "tax_exemptions": [], "admin_graphql_api_id": gid("Customer", customer_id)}


def redacted(shop_id: int, domain: str, record: Customer) -> Body:
    """`customers/redact`. It names the person, to whom an app may have given an id of its own."""
    return {
        "shop_id": shop_id,
        "shop_domain": domain,
        "customer": {"id": record.id, "email": record.email, "phone": record.phone},
        "orders_to_redact": [],
    }


def data_requested(shop_id: int, domain: str, record: Customer) -> Body:
    """`customers/data_request`."""
    return {
        "shop_id": shop_id,
        "shop_domain": domain,
        "orders_requested": [],
        "customer": {"id": record.id, "email": record.email, "phone": record.phone},
        "data_request": {"id": record.id % 10_000 + 1},
    }


def shop_redacted(shop_id: int, domain: str) -> Body:
    """`shop/redact`."""
    return {"shop_id": shop_id, "shop_domain": domain}


def tags(customer_id: int, changed: list[str], at: float) -> Body:
    """`customer.tags_added` and `customer.tags_removed`: the tags that came or went, not those that are there."""
    occurred = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"customerId": gid("Customer", customer_id), "tags": changed, "occurredAt": occurred}


def email_consent(record: Customer, *, denied: bool = False) -> Body:
    return {
        "customer_id": record.id,
        "email_address": None if denied else record.email,
        "email_marketing_consent": _consent(record.email_consent),
    }


def _consent(consent: Consent) -> Body:
    return {
        "state": consent.state.lower(),
        "opt_in_level": consent.level and consent.level.lower(),
        "consent_updated_at": consent_text(consent.at),
    }


def sms_consent(record: Customer, *, denied: bool = False) -> Body:
    consent = _consent(record.sms_consent) | {"consent_collected_from": _source(record.sms_consent)}
    return {"id": record.id, "phone": None if denied else record.phone, "sms_marketing_consent": consent}


def whatsapp_consent(record: Customer, *, denied: bool = False) -> Body:
    consent = record.whatsapp_consent
    return {
        "customer_id": record.id,
        "phone_number": None if denied else record.phone,
        "whats_app_marketing_consent": {
            "state": consent.state.lower(),
            "opt_in_level": consent.level and consent.level.lower(),
            "updated_at": consent_text(consent.at),
            "collected_from": _source(consent),
        },
    }


def _source(consent: Consent) -> str:
    return (consent.collected_from or "OTHER").lower()


def merged(kept: int, deleted: int, job_id: str | None, status: str, errors: list[Body]) -> Body:
    """`customers/merge`, of merges that succeeded and of those that failed."""
    return {
        "admin_graphql_api_customer_kept_id": gid("Customer", kept),
        "admin_graphql_api_customer_deleted_id": gid("Customer", deleted),
        "admin_graphql_api_job_id": job_id,
        "status": status.lower(),
        "errors": errors,
    }


def bulk_finished(operation_id: int, created_at: int, completed_at: int | None, status: str, error: str | None) -> Body:
    return {
        "admin_graphql_api_id": gid("BulkOperation", operation_id),
        "completed_at": consent_text(completed_at),
        "created_at": shop_text(created_at),
        "error_code": error and error.lower(),
        "status": status.lower(),
        "type": "query",
    }


def scopes_changed(shop_id: int, previous: list[str], current: list[str], at: float) -> Body:
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "id": 1,
        "shop_id": gid("Shop", shop_id),
        "previous": previous,
        "current": current,
        "updated_at": moment,
    }


def uninstalled(shop_id: int, name: str) -> Body:
    """`app/uninstalled`: a shop. Its domain is null in Shopify's own sample, so only the header names the shop."""
    empty = ("domain", "source", "latitude", "longitude", "address2", "created_at", "updated_at", "iana_timezone")
    unset = ("taxes_included", "auto_configure_tax_inclusivity", "tax_shipping", "county_taxes", "myshopify_domain")
    return {
        "id": shop_id,
        "name": name,
        "email": "owner@example.com",
        "province": "Tennessee",
        "country": "US",
        "address1": "190 Example Street",
        "zip": "37178",
        "city": "Houston",
        "phone": "+12015550100",
        "primary_locale": "en",
        "country_code": "US",
        "country_name": "United States",
        "currency": "USD",
        "customer_email": "owner@example.com",
        "timezone": "(GMT-05:00) America/Panama",
        "shop_owner": "Sandbox Owner",
        "money_format": "${{amount}}",
        "money_with_currency_format": "${{amount}} USD",
        "weight_unit": "kg",
        "province_code": "TN",
        "plan_display_name": "Shopify Plus",
        "plan_name": "enterprise",
        "has_discounts": False,
        "has_gift_cards": False,
        "money_in_emails_format": "${{amount}}",
        "money_with_currency_in_emails_format": "${{amount}} USD",
        "eligible_for_payments": True,
        "requires_extra_payments_agreement": False,
        "has_storefront": True,
        "finances": True,
        "primary_location_id": 655_441_491,
        "checkout_api_supported": True,
        "multi_location_enabled": True,
        "setup_required": False,
        "pre_launch_enabled": False,
        "enabled_presentment_currencies": ["USD"],
        "marketing_sms_consent_enabled_at_checkout": False,
        "transactional_sms_disabled": False,
        **dict.fromkeys((*empty, *unset, "google_apps_domain", "google_apps_login_enabled", "password_enabled")),
    }
