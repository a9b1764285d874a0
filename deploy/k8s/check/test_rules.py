"""Every rule finds what it is there for: a good overlay, one thing in it made bad, and what the rule says then."""

import bad_running
import bad_wiring
import environment
import names
import network
import patches
import pytest
import references
import running
from conftest import fresh
from spoiling import policy

BAD = bad_wiring.BAD | bad_running.BAD


@pytest.mark.parametrize("name", BAD)
def test_a_rule_finds(name):
    rule, spoil, said = BAD[name]
    world = fresh("production")
    # Binaries of another version may lack a variable; here it is about what the spoiling adds.
    before = rule(world)
    spoil(world)
    found = [problem for problem in rule(world) if problem not in before]
    assert any(said in problem for problem in found), found


def test_a_rule_finds_a_patch_for_nobody(monkeypatch):
    monkeypatch.setattr(patches, "rendered", lambda folder: "")
    assert any("not there" in problem for problem in patches.patches_have_a_target(fresh("production")))


def test_a_rule_finds_that_the_gateway_is_let_out_to_a_database_elsewhere():
    world = fresh("production-external")
    policy(world, "bus")["egress"][0]["ports"].append({"port": 27017})
    assert network.the_gateway_does_not_reach_the_database(world)


def test_every_rule_is_seen_to_find_something():
    modules = [names, references, environment, running, network, patches]
    rules = {rule for module in modules for rule in module.RULES}
    assert rules - {rule for rule, _, _ in BAD.values()} == {patches.patches_have_a_target}
