"""The vault as the rest of the product sees it: the keys of one shop, ready to seal, open and index."""

from dataclasses import dataclass

from onewriter.records import Instant
from onewriter.rules.identity import canonical_email, canonical_phone
from onewriter.vault.indexkeys import IndexKey, IndexKeys
from onewriter.vault.keystore import KeyStore
from onewriter.vault.seal import ShopKey


@dataclass(frozen=True, slots=True)
class ShopVault:
    """The vault of one shop."""

    shop_id: int
    region: str | None
    """ISO country that reads phone numbers without a country code."""
    keys: KeyStore
    key: ShopKey
    index: IndexKeys

    def email_token(self, key: IndexKey, email: str | None) -> bytes | None:
        """The blind index of an email address, or None when there is no key in it."""
        canonical = canonical_email(email)
        return None if canonical is None else key.token("email", canonical)

    def phone_token(self, key: IndexKey, phone: str | None) -> bytes | None:
        """The blind index of a phone number, or None when there is no key in it."""
        canonical = canonical_phone(phone, self.region)
        return None if canonical is None else key.token("phone", canonical)


def open_shop(keys: KeyStore, shop_id: int, region: str | None) -> ShopVault:
    """The vault of a shop that was connected before."""
    key = keys.shop_key(shop_id)
    return ShopVault(shop_id, region, keys, key, IndexKeys(keys, shop_id, key))


def day_of(moment: Instant) -> int:
    """The UTC day of an instant, in days since 1970: the day whose key seals what arrives then."""
    return moment // 86_400_000_000
