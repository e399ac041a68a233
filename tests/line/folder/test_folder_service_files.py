"""The files for IT: they parse, they call commands that exist, and they ask for no more rights than needed."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from clipgrip_line.cli import parser_of

LINE = Path(__file__).parents[3] / "line"
UNIT = LINE / "systemd" / "clipgrip-line-watch@.service"
SERVICE = LINE / "windows" / "clipgrip-line-watch.xml"
CONTAINER = LINE / "container" / "Containerfile"
COMPOSE = LINE / "container" / "compose.yaml"


def environment() -> dict[str, str]:
    lines = (LINE / "systemd" / "watch.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def unit() -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes="#")
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read(UNIT, "utf-8")
    return found


def test_the_unit_calls_watch_with_options_that_exist() -> None:
    words = unit()["Service"]["ExecStart"].replace("%i", "line3")
    for name, value in environment().items():
        words = words.replace(f"${{{name}}}", value).replace(f"${name}", value)
    args = parser_of().parse_args(shlex.split(words)[1:])
    assert (args.command, args.sort, args.keep) == ("watch", "copy", 2 << 30)
    assert str(args.out) == "/var/lib/clipgrip-line/line3"


def test_the_options_in_the_examples_of_the_environment_exist() -> None:
    text = (LINE / "systemd" / "watch.env").read_text("utf-8")
    for options in re.findall(r"^#? ?OPTIONS=(.*)$", text, re.MULTILINE):
        parser_of().parse_args(["watch", "b", "f", "--out", "o", *shlex.split(options)])


def test_the_unit_is_not_root_and_comes_back() -> None:
    service = unit()["Service"]
    assert service["User"] not in ("", "root")
    assert (service["Restart"], service["ProtectSystem"]) == ("always", "strict")
    assert service["NoNewPrivileges"] == "yes"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / "clipgrip-line-watch@line3.service"
    text = UNIT.read_text("utf-8").replace("/opt/clipgrip-line/bin/clipgrip-line", "/bin/true")
    copy.write_text(text)
    words = ["systemd-analyze", "verify", "--man=no", str(copy)]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    ours = [line for line in said.stderr.splitlines() if "clipgrip" in line]
    assert ours == []


def test_the_windows_service_calls_watch_and_can_be_stopped_in_time() -> None:
    root = ElementTree.parse(SERVICE).getroot()
    arguments = root.findtext("arguments") or ""
    words = [one[1:-1] if one[0] == '"' else one for one in re.findall(r'"[^"]*"|\S+', arguments)]
    args = parser_of().parse_args(words)
    assert (args.command, str(args.folder)) == ("watch", r"\\camera\line3")
    assert (root.findtext("executable") or "").endswith("clipgrip-line.exe")
    assert root.findtext("stoptimeout") == "60 sec"
    assert root.find("onfailure").get("action") == "restart"  # type: ignore[union-attr]


def instructions() -> dict[str, str]:
    text = CONTAINER.read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split(" ", 1) for line in lines)


def test_the_container_is_not_root_and_says_whether_it_is_well() -> None:
    found = instructions()
    assert found["USER"].split(":")[0] not in ("0", "root")
    health = json.loads(found["HEALTHCHECK"].partition("CMD ")[2])
    assert parser_of().parse_args(health[1:]).command == "status"
    entry = [*json.loads(found["ENTRYPOINT"]), *json.loads(found["CMD"])]
    assert entry[0] == health[0] == "clipgrip-line"
    assert parser_of().parse_args(entry[1:]).command == "watch"
    assert "--no-index" in found["RUN"]


def test_the_composition_is_read_only_and_has_no_rights() -> None:
    watch = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]["watch"]
    assert watch["read_only"] is True
    assert watch["cap_drop"] == ["ALL"]
    assert parser_of().parse_args(watch["command"]).command == "watch"
    assert (COMPOSE.parent / watch["build"]["dockerfile"]).is_file()
