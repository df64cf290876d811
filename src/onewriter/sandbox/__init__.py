"""A simulated Shopify shop: code that works on it is meant to work on Shopify. It knows nothing of the product."""

from onewriter.sandbox.control import SandboxInfo
from onewriter.sandbox.deliveries import Delivery, Schedule, Subscription
from onewriter.sandbox.faults import Faults
from onewriter.sandbox.gateway import Gateway
from onewriter.sandbox.merges import Merge
from onewriter.sandbox.merging import Override
from onewriter.sandbox.normalise import Mistake, Refused
from onewriter.sandbox.order import Order
from onewriter.sandbox.play import Player
from onewriter.sandbox.running import RunningSandbox, serve
from onewriter.sandbox.shop import Shop

__all__ = [
    "Delivery",
    "Faults",
    "Gateway",
    "Merge",
    "Mistake",
    "Order",
    "Override",
    "Player",
    "Refused",
    "RunningSandbox",
    "SandboxInfo",
    "Schedule",
    "Shop",
    "Subscription",
    "serve",
]
