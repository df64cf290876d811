"""Writing a shop's credentials down, as connecting it does."""

from onewriter.customers import shops
from onewriter.runtime import Runtime
from onewriter.shopify.auth import Credentials
from onewriter.shopify.tokens import seal_credentials


def keep_credentials(runtime: Runtime, shop_id: int, credentials: Credentials) -> None:
    """Replace what is sealed in the shop's row."""
    box = seal_credentials(runtime.keys.shop_key(shop_id), shop_id, credentials)
    with runtime.database.write() as db:
        shops.change(db, shop_id, {"box": box})
