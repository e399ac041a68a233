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
from typing import Any

import pytest
import yaml

from clipgrip_line.cli import parser_of
from clipgrip_line.commands import serve, watch

LINE = Path(__file__).parents[3] / "line"
UNITS = sorted((LINE / "systemd").glob("*.service"))
SERVICES = sorted((LINE / "windows").glob("*.xml"))
CONTAINER = LINE / "container" / "Containerfile"
COMPOSE = LINE / "container" / "compose.yaml"
KINDS = ("watch", "serve")
WINSW = {
    *(
        "id",
        "name",
        "description",
        "executable",
        "arguments",
        "workingdirectory",
        "env",
        "startmode",
    ),
    *("delayedAutoStart", "depend", "onfailure", "resetfailure", "stoptimeout", "logpath", "log"),
    *("serviceaccount", "priority", "prestart", "poststart", "prestop", "poststop"),
}
"""Elements that its documentation knows (docs/xml-config-file.md of winsw/winsw)."""
LOG = {"roll-by-size": {"sizeThreshold", "keepFiles"}, "append": set(), "none": set()}
DURATION = re.compile(r"\d+ ?(sec|secs|min|mins|hour|hours|day|days)")


def kind_of(path: Path) -> str:
    return re.split("[-@.]", path.name)[2]


def environment(kind: str) -> dict[str, str]:
    lines = (LINE / "systemd" / f"{kind}.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def unit(path: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes="#")
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read(path, "utf-8")
    return found


def test_there_is_a_file_of_each_kind_for_the_hot_folder_and_the_service() -> None:
    assert sorted(map(kind_of, UNITS)) == sorted(map(kind_of, SERVICES)) == sorted(KINDS)
    assert set(composed()) == set(KINDS)


@pytest.mark.parametrize("path", UNITS, ids=kind_of)
def test_the_unit_calls_its_command_with_options_that_exist(path: Path) -> None:
    words = unit(path)["Service"]["ExecStart"].replace("%i", "line3")
    for name, value in environment(kind_of(path)).items():
        words = words.replace(f"${{{name}}}", value).replace(f"${name}", value)
    args = parser_of().parse_args(shlex.split(words)[1:])
    assert args.command == kind_of(path)
    kept = args.out if args.command == "watch" else args.state
    state = unit(path)["Service"]["StateDirectory"].replace("%i", "line3")
    assert str(kept) == f"/var/lib/{state}"
    told = path.read_text("utf-8").partition("[Unit]")[0]
    assert unit(path)["Service"]["EnvironmentFile"].replace("%i", "NAME") in told


@pytest.mark.parametrize("kind", KINDS)
def test_the_options_in_the_examples_of_the_environment_exist(kind: str) -> None:
    text = (LINE / "systemd" / f"{kind}.env").read_text("utf-8")
    places = ["b", "f", "--out", "o"] if kind == "watch" else ["b"]
    examples = re.findall(r"^#? ?OPTIONS=(.*)$", text, re.MULTILINE)
    assert len(examples) >= 2
    for options in examples:
        parser_of().parse_args([kind, *places, *shlex.split(options)])
    names = set(re.findall(r"^#? ?(CLIPGRIP_[A-Z_]+)=", text, re.MULTILINE))
    assert names
    assert names <= {watch.SECRET, watch.USER, watch.PASSWORD, serve.TOKEN, "CLIPGRIP_LANG"}


@pytest.mark.parametrize("path", UNITS, ids=kind_of)
def test_the_unit_is_not_root_and_comes_back(path: Path) -> None:
    service = unit(path)["Service"]
    assert service["User"] not in ("", "root")
    assert (service["Restart"], service["ProtectSystem"]) == ("always", "strict")
    assert service["NoNewPrivileges"] == "yes"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("path", UNITS, ids=kind_of)
def test_systemd_takes_the_unit(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name.replace("@", "@line3")
    text = path.read_text("utf-8").replace("/opt/clipgrip-line/bin/clipgrip-line", "/bin/true")
    copy.write_text(text)
    words = ["systemd-analyze", "verify", "--man=no", str(copy)]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    ours = [line for line in said.stderr.splitlines() if "clipgrip" in line]
    assert ours == []


@pytest.mark.parametrize("path", SERVICES, ids=kind_of)
def test_the_windows_service_calls_its_command_and_can_be_stopped_in_time(path: Path) -> None:
    root = ElementTree.parse(path).getroot()
    arguments = root.findtext("arguments") or ""
    words = [one[1:-1] if one[0] == '"' else one for one in re.findall(r'"[^"]*"|\S+', arguments)]
    args = parser_of().parse_args(words)
    assert args.command == kind_of(path)
    if args.command == "watch":
        assert str(args.folder) == r"\\camera\line3"
    assert (root.findtext("executable") or "").endswith("clipgrip-line.exe")
    assert root.findtext("stoptimeout") == "60 sec"
    assert root.find("onfailure").get("action") == "restart"  # type: ignore[union-attr]


@pytest.mark.parametrize("path", SERVICES, ids=kind_of)
def test_the_windows_service_has_only_what_winsw_knows(path: Path) -> None:
    root = ElementTree.parse(path).getroot()
    assert root.tag == "service"
    assert {one.tag for one in root} <= WINSW
    once = [one.tag for one in root if one.tag not in ("env", "depend", "onfailure")]
    assert len(once) == len(set(once))
    assert re.fullmatch("[A-Za-z0-9]+", root.findtext("id") or "")
    assert root.findtext("startmode") in ("Automatic", "Manual")
    delays = [one.get("delay") or "" for one in root.iter("onfailure")]
    for text in (*delays, root.findtext("stoptimeout") or "", root.findtext("resetfailure") or ""):
        assert DURATION.fullmatch(text)
    (log,) = root.iter("log")
    assert {one.tag for one in log} <= LOG[log.get("mode") or ""]
    assert all(set(one.attrib) == {"name", "value"} for one in root.iter("env"))
    assert f"{path.stem}.exe install" in path.read_text("utf-8")


def test_two_services_of_one_machine_have_names_of_their_own() -> None:
    ids = [ElementTree.parse(path).getroot().findtext("id") for path in SERVICES]
    assert len(set(ids)) == len(SERVICES)


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


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not here")
def test_a_linter_has_nothing_to_say_of_the_container() -> None:
    said = subprocess.run(["hadolint", CONTAINER], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, "")


def composed() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(COMPOSE.read_text("utf-8"))["services"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_composition_is_read_only_and_has_no_rights(kind: str) -> None:
    service, found = composed()[kind], instructions()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    args = parser_of().parse_args(service["command"])
    assert args.command == kind
    assert (COMPOSE.parent / service["build"]["dockerfile"]).is_file()
    mounted = {one.split(":")[1] for one in service["volumes"]}
    kept = args.out if kind == "watch" else args.state
    health = json.loads(found["HEALTHCHECK"].partition("CMD ")[2])
    assert str(kept) == health[2]
    assert {str(kept), str(args.bundle)} <= mounted
    assert str(kept) in json.loads(found["VOLUME"])


def test_the_composed_service_is_reached_through_a_token_and_by_this_machine_alone() -> None:
    service = composed()["serve"]
    args = parser_of().parse_args(service["command"])
    assert args.host == "0.0.0.0"  # within the container
    assert service["ports"] == [f"127.0.0.1:{args.port}:{args.port}"]
    assert ":?" in service["environment"][serve.TOKEN], "without one it does not start"
    assert instructions()["EXPOSE"] == str(args.port)
