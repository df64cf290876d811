"""A simulated Shopify shop: code that works on it is meant to work on Shopify. It knows nothing of the product."""

from onewriter.sandbox.control import SandboxInfo
from onewriter.sandbox.faults import Faults
from onewriter.sandbox.normalise import Mistake, Refused
from onewriter.sandbox.running import RunningSandbox, serve
from onewriter.sandbox.shop import Shop

__all__ = ["Faults", "Mistake", "Refused", "RunningSandbox", "SandboxInfo", "Shop", "serve"]
