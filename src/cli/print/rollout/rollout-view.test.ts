import { expect, test } from "vitest";
import { playedStates, playRollout } from "../../../../test/support/played-rollout.ts";
import { aRolloutId, rolloutTime } from "../../../../test/support/rollout-events.ts";
import * as v from "valibot";
import { HostName } from "../../../protocol/names.ts";
import { RolloutId } from "../../../protocol/rollout/rollout-events.ts";
import { plainStyle } from "../style.ts";
import { adviceOf } from "./rollout-renderer.ts";
import { rolloutLines, type RolloutPrint } from "./rollout-view.ts";

const id = v.parse(RolloutId, "01KB7VJ700KG3DN1TBTW7T6RES");
const print = (second: number, more: Partial<RolloutPrint> = {}): RolloutPrint => ({
  style: plainStyle,
  now: new Date(rolloutTime(second)),
  states: playedStates(second, { laptop: { at: "2026-11-26T11:00:00.000Z" } }),
  ...more,
});
const halted = () =>
  playRollout({}, { id })
    .canary()
    .add(644, { type: "wave-started", wave: 1 })
    .orders(644, "web01")
    .ends(690, "web01", { outcome: "rolled-back", code: "UNHEALTHY", detail: "nginx.service failed" })
    .add(691, { type: "halted", code: "HOSTS_FAILED", detail: "1 failed of 5", host: "web01" })
    .rollout();

test("a rollout in a frame: its waves, its hosts, why they wait, and what to do", () => {
  const rollout = halted();
  expect(rolloutLines(rollout, print(700, { advice: adviceOf(rollout) })).join("\n")).toMatchInlineSnapshot(`
    "┏━ Rollout 01KB7VJ700 · servers@9c41e7f · 5 hosts in 3 waves · by kai
    ┃ ✓ canary  testvm01  completed                     41s  soaked 10m00s
    ┃ ✗ prod    web01     rolled back: nginx.service failed (UNHEALTHY)  41s  runs 4be10a9 as before
    ┃ ·         web02     waits: the rollout is halted
    ┃ –         laptop    absent, last seen 3 d ago          ordered when it comes back
    ┃ · needed  gitea     waits: the rollout is halted
    ┗━ halted: 1 failed of 5 · 1 of 5 hosts done, 1 failed   homelab-deploy rollouts resume|abort 01KB7VJ700KG3DN1TBTW7T6RES"
  `);
});

test("before its plan it shows whom it is for", () => {
  const rollout = playRollout({}, { id, isPlanned: false }).rollout();
  expect(rolloutLines(rollout, print(1)).join("\n")).toMatchInlineSnapshot(`
    "┏━ Rollout 01KB7VJ700 · servers@9c41e7f · 5 hosts · by kai
    ┃ testvm01, web01, web02, laptop, gitea
    ┗━ waits for its turn · 5 hosts"
  `);
});

test("in a small terminal the hosts that matter most are shown, and the others are counted", () => {
  const lines = rolloutLines(halted(), print(700, { width: 60, height: 6 }));
  expect(lines).toHaveLength(6);
  expect(lines.join("\n")).toMatchInlineSnapshot(`
    "┏━ Rollout 01KB7VJ700 · servers@9c41e7f · 5 hosts in 3 wave…
    ┃ ✗ web01           rolled back: nginx.service failed (UNHE…
    ┃ – laptop          absent, last seen 3 d ago          orde…
    ┃ · web02           waits: the rollout is halted
    ┃   … 2 more hosts
    ┗━ halted: 1 failed of 5 · 1 of 5 hosts done, 1 failed"
  `);
  for (const height of [1, 2, 3, 4, 5, 6, 7]) {
    const small = print(700, {
      height,
      width: 60,
      advice: "homelab-deploy rollouts resume|abort 01KB7VJ700",
    });
    expect(rolloutLines(halted(), small).length).toBeLessThanOrEqual(Math.max(4, height));
  }
});

test("a long name leaves room for what happens, and why it halted is told whole", () => {
  const name = "a-host-with-a-rather-long-name.home.lan";
  const detail = `${name}: rolled-back (UNHEALTHY): the unit gitea.service failed, and the page answered 502`;
  const rollout = playRollout({ hosts: [name] }, { id, isPlanned: false })
    .add(1, {
      type: "planned",
      part: 0,
      parts: 1,
      waves: [{ name: "all" }],
      hosts: [{ host: name, wave: 0 }],
    })
    .add(2, { type: "halted", code: "HOSTS_FAILED", detail, host: name })
    .rollout();
  const lines = rolloutLines(rollout, print(700, { width: 80, advice: adviceOf(rollout) }));
  expect(lines.join("\n")).toMatchInlineSnapshot(`
    "┏━ Rollout 01KB7VJ700 · servers@9c41e7f · 1 host in 1 wave · by kai
    ┃ · all  a-host-with-a-rather-long…  waits: the rollout is halted
    ┗━ halted: a-host-with-a-rather-long-name.home.lan: rolled-back (UNHEALTHY): the
       unit gitea.service failed, and the page answered 502 · 0 of 1 host done
       homelab-deploy rollouts resume|abort 01KB7VJ700KG3DN1TBTW7T6RES"
  `);
});

test("a thousand hosts fit into every terminal", () => {
  const hosts = Array.from({ length: 1000 }, (_, index) => v.parse(HostName, `host${index}`));
  const played = playRollout({ hosts }, { id: aRolloutId(), isPlanned: false });
  for (let part = 0; part < 5; part++) {
    played.add(1, {
      type: "planned",
      part,
      parts: 5,
      waves: part === 0 ? [{ name: "all" }] : undefined,
      hosts: hosts.slice(part * 200, part * 200 + 200).map((host) => ({ host, wave: 0 })),
    });
  }
  const lines = rolloutLines(played.rollout(), print(2, { width: 80, height: 24 }));
  expect(lines).toHaveLength(24);
  expect(lines.join("\n")).toContain("more hosts");
});
