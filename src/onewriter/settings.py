"""Every setting: name, default, unit and help. Read from the environment (`ONEWRITER_NAME`) or a TOML file.

The file is `onewriter.toml` in the current folder, or the one that `ONEWRITER_CONFIG` names. The environment wins. An
unknown name in either place is an error: a misspelt setting that is silently ignored is the worst kind.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onewriter.errors import BadSetting

PREFIX = "ONEWRITER_"
CONFIG_VARIABLE = "ONEWRITER_CONFIG"
CONFIG_FILE = "onewriter.toml"

PASSWORD = re.compile(r"(://[^:@/\s]*:)\S+@")
PASSWORD_PARAMETER = re.compile(r"(?i)((?:password|sslpassword)=)[^&\s]+")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. A secret one is never shown and never has a default."""

    name: str
    default: str | int
    help: str
    unit: str = ""
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.name.upper()


SETTINGS: tuple[Setting, ...] = (
    Setting("data_dir", "onewriter-data", "Folder for the embedded databases, the master key and the lock files"),
    Setting(
        "database_url", "", "Main database; empty means SQLite in data_dir. PostgreSQL: postgresql://USER@HOST/NAME"
    ),
    Setting("keystore_url", "", "Key store; empty means SQLite in data_dir, and must be named when database_url is"),
    Setting("master_key_file", "", "File with the master keys, the current one first; empty means data_dir/master.key"),
    Setting("master_key", "", "The master keys themselves, base64; instead of a file", secret=True),
    Setting("master_key_command", "", "Command that prints the master keys; instead of a file"),
    Setting("host", "127.0.0.1", "Address that the web process listens on"),
    Setting("port", 8480, "Port that the web process listens on"),
    Setting("web_url", "", "Address at which people open the pages; empty means the one that is listened on"),
    Setting("region", "", "ISO country that reads phone numbers without a country code; empty means never guess"),
    Setting("inbox_keep_days", 30, "How long the body of a delivery can be opened (1 to 30)", "days"),
    Setting("backup_keep_days", 30, "How long a backup may be kept: tokens of who was erased since are in it", "days"),
    Setting("keys_copy_file", "", "File in which a worker keeps the newest copy of the key store; empty means none"),
    Setting("log_values_keep_days", 30, "How long old and new values of writes that can be undone are kept", "days"),
    Setting("file_share_percent", 20, "The share of a file's customers that an import changes unasked", "percent"),
    Setting("runs_keep_days", 30, "How long finished jobs, and hourly runs that found nothing, stay listed", "days"),
    Setting(
        "bulk_wait_hours", 48, "How long a run waits for Shopify's bulk operation before it reads by pages", "hours"
    ),
    Setting(
        "bulk_stall_minutes", 30, "How long a bulk operation may stand still, or find no room, before that", "minutes"
    ),
    Setting("case_minutes", 15, "What a case costs in working time, for `fields fit`", "minutes"),
    Setting(
        "field_worth_minutes",
        0,
        "What a week of a field kept in step saves, for `fields fit`; 0 if nobody said",
        "minutes",
    ),
    Setting("nightly_hour", 3, "Hour of the day, UTC, in which every shop is read and compared in full (0 to 23)"),
    Setting("audit_hours", 24, "How often each connected system is audited; 0 means by hand only", "hours"),
    Setting(
        "delivery_grace_s",
        120,
        "How long a change may take to be delivered before a reconcile reports it as drift",
        "seconds",
    ),
    Setting("worker_beat_s", 5, "How often a worker says that it lives", "seconds"),
    Setting("worker_dead_s", 30, "After how long a silent worker's runs are taken over", "seconds"),
    Setting("notify_webhook_url", "", "Address that notices are posted to; empty means none"),
    Setting("notify_webhook_secret", "", "What proves to the receiver that a notice is ours", secret=True),
    Setting("notify_mail_to", "", "Mail addresses that notices go to, with commas between; empty means none"),
    Setting("notify_mail_from", "", "Mail address that notices come from"),
    Setting("smtp_host", "", "Mail server that takes notices"),
    Setting("smtp_port", 587, "Its port"),
    Setting("smtp_user", "", "Name to log in there with; empty means without"),
    Setting("smtp_password", "", "Password to log in there with", secret=True),
    Setting("smtp_security", "starttls", "starttls, tls, or none for a server on this machine"),
    Setting("log_level", "info", "debug, info, warning or error"),
    Setting("log_format", "text", "text for people, json for machines"),
)

BY_NAME = {setting.name: setting for setting in SETTINGS}

BOUNDS: Mapping[str, tuple[int, int]] = {
    "port": (1, 65_535),
    "inbox_keep_days": (1, 30),
    "backup_keep_days": (1, 3650),
    "log_values_keep_days": (0, 365),
    "file_share_percent": (0, 100),
    "runs_keep_days": (1, 3650),
    "bulk_wait_hours": (1, 240),
    "bulk_stall_minutes": (1, 1440),
    "audit_hours": (0, 720),
    "delivery_grace_s": (0, 86_400),
    "case_minutes": (1, 1440),
    "field_worth_minutes": (0, 100_000),
    "nightly_hour": (0, 23),
    "smtp_port": (1, 65_535),
    "worker_beat_s": (1, 60),
    "worker_dead_s": (5, 3600),
}


CHOICES: Mapping[str, tuple[str, ...]] = {
    "log_level": ("debug", "info", "warning", "error"),
    "log_format": ("text", "json"),
    "smtp_security": ("starttls", "tls", "none"),
}


class Settings:
    """The settings of this process. Secrets, and passwords in addresses, show as `***` in its `repr`."""

    def __init__(self, values: Mapping[str, Any], sources: Mapping[str, str]) -> None:
        self._values = dict(values)
        self.sources = dict(sources)

    def __repr__(self) -> str:
        return f"Settings({self.shown()})"

    def text(self, name: str) -> str:
        """The value of a text setting."""
        return str(self._values[name])

    def number(self, name: str) -> int:
        """The value of a number setting."""
        return int(self._values[name])

    def shown(self) -> dict[str, str | int]:
        """Every value as it may be shown to people."""
        return {
            name: "***" if BY_NAME[name].secret and value else without_password(value)
            for name, value in self._values.items()
        }

    @property
    def data_dir(self) -> Path:
        """The folder of the embedded databases."""
        return Path(self.text("data_dir"))

    @property
    def database_url(self) -> str:
        """The address of the main database."""
        return self.text("database_url") or f"sqlite:///{self.data_dir / 'onewriter.db'}"

    @property
    def keystore_url(self) -> str:
        """The address of the key store. It never falls back to a file once the main database is somewhere else."""
        named = self.text("keystore_url")
        if not named and self.text("database_url"):
            raise BadSetting(
                "ONEWRITER_DATABASE_URL is set but ONEWRITER_KEYSTORE_URL is not; name a second database for the keys."
            )
        return named or f"sqlite:///{self.data_dir / 'keys.db'}"

    @property
    def master_key_file(self) -> Path:
        """The file with the master keys."""
        named = self.text("master_key_file")
        return Path(named) if named else self.data_dir / "master.key"


def without_password(value: str | int) -> str | int:
    """The value without the password that the address of a database may hold."""
    if not isinstance(value, str):
        return value
    return PASSWORD_PARAMETER.sub(r"\1***", PASSWORD.sub(r"\1***@", value))


def load(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """The settings from defaults, file and environment; raises BadSetting with the name of what is wrong."""
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {setting.name: setting.default for setting in SETTINGS}
    sources = dict.fromkeys(values, "default")
    for source, found in (("file", _from_file(environment, folder)), ("environment", _from_environment(environment))):
        for name, raw in found.items():
            values[name] = _read(name, raw)
            sources[name] = source
    return Settings(values, sources)


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in BY_NAME:
            raise BadSetting(f"{variable} is not a setting; `onewriter settings` lists those that there are.")
        found[name] = value
    return found


def _from_file(environment: Mapping[str, str], folder: Path | None) -> dict[str, Any]:
    named = environment.get(CONFIG_VARIABLE)
    path = Path(named) if named else (folder or Path.cwd()) / CONFIG_FILE
    if not path.exists():
        if named:
            raise BadSetting(f"{CONFIG_VARIABLE} names {path}, which does not exist.")
        return {}
    try:
        found = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path} is not readable TOML ({type(error).__name__}).") from None
    for name in found:
        if name not in BY_NAME:
            raise BadSetting(f"{name} in {path} is not a setting; `onewriter settings` lists those that there are.")
        if BY_NAME[name].secret:
            raise BadSetting(
                f"{name} is a secret and does not belong in {path}; use the environment or a file of its own."
            )
    return found


def _read(name: str, raw: Any) -> str | int:
    if isinstance(BY_NAME[name].default, str):
        if name in CHOICES and raw not in CHOICES[name]:
            raise BadSetting(f"{name} must be one of: {', '.join(CHOICES[name])}.")
        return str(raw)
    try:
        number = int(raw)
    except (TypeError, ValueError):
        raise BadSetting(f"{name} must be a whole number.") from None
    low, high = BOUNDS[name]
    if not low <= number <= high:
        raise BadSetting(f"{name} must be from {low} to {high}.")
    return number
