import { expect, test } from "vitest";
import * as v from "valibot";
import { StartAnswer } from "../../../protocol/rollout/start-request.ts";
import { plainStyle } from "../style.ts";
import { renderRolloutPlan, type RolloutPlan } from "./rollout-plan-page.ts";

test("in a narrow terminal one still sees who is left out, and why", () => {
  const from = `/nix/store/${"0".repeat(32)}-nixos-system-nas-26.05.20261101`;
  const plan = v.parse(StartAnswer, {
    type: "plan",
    commit: "a".repeat(40),
    waves: [{ name: "prod" }, { name: "needed by others", oneByOne: true }],
    hosts: [
      { host: "a-host-with-a-rather-long-name.home.lan", wave: 0, from, path: from },
      {
        host: "nas",
        wave: 0,
        from,
        path: from,
        leftOut: "held",
        detail: "its disk is being replaced, until Friday",
      },
      { host: "gitea", wave: 1, from, path: from },
    ],
    policy: { soakSeconds: 8 },
  }) as RolloutPlan;
  const print = { style: plainStyle, width: 80, states: new Map(), now: new Date(0) };
  expect(renderRolloutPlan(plan, print)).toMatchInlineSnapshot(`
    "aaaaaaa on 2 of 3 hosts in 2 waves: at most 5 at a time, each wave soaks 8s
    Wave                Host            From     To       What
    prod                a-host-with-a…  nixos-…  aaaaaaa  deployed
                        nas             nixos-…  aaaaaaa  held: its disk is being r…
    needed by others …  gitea           nixos-…  aaaaaaa  deployed
    "
  `);
});
