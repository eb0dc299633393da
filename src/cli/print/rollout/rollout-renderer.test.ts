import { expect, test } from "vitest";
import { createCommandContext } from "../../../../test/support/command-context.ts";
import { createFakeClock } from "../../../../test/support/fake-clock.ts";
import { playedStates, playRollout } from "../../../../test/support/played-rollout.ts";
import { rolloutTime } from "../../../../test/support/rollout-events.ts";
import { createRolloutRenderer } from "./rollout-renderer.ts";

test("the live view is redrawn while it changes, stays at a halt, and leaves the end behind", async () => {
  const clock = createFakeClock(rolloutTime(650));
  const frames: string[] = [];
  const err = { isTTY: true, columns: 100, rows: 24, write: (text: string) => frames.push(text) };
  const { context, said } = createCommandContext({ clock, err });
  const renderer = createRolloutRenderer("tty", context);
  const played = playRollout().canary().add(644, { type: "wave-started", wave: 1 }).orders(645, "web01");
  renderer.show(played.rollout(), played.events);
  await clock.advance(1000);
  expect(frames.join("")).toContain("waits for web01 (role web, one at a time)");
  expect(frames.join("")).toContain("Ctrl-C detaches");
  const order = [...played.rollout().hosts.values()].find(({ host }) => host === "web01")?.order?.order;
  renderer.states(playedStates(651, { web01: { order: { id: order, serial: 9, phase: "confirming" } } }));
  await clock.advance(1000);
  expect(frames.join("")).toContain("confirming");
  played
    .ends(690, "web01", { outcome: "rolled-back", code: "UNHEALTHY" })
    .add(691, { type: "halted", code: "HOSTS_FAILED", detail: "1 failed of 5" });
  renderer.show(played.rollout(), []);
  await clock.advance(1000);
  expect(frames.join("")).toContain("halted: 1 failed of 5");
  expect(frames.join("")).toMatch(/rollouts resume\|abort [0-9A-Z]{10}\b/);
  expect(said.stdout).toBe("");
  played.add(700, { type: "aborted", by: "mo" }).add(701, { type: "finished", outcome: "aborted" });
  renderer.finish(played.rollout(), 1);
  expect(said.stdout).toContain(`homelab-deploy rollouts retry ${played.id}`);
  const drawn = frames.length;
  await clock.advance(5000);
  expect(frames).toHaveLength(drawn);
});

test("elsewhere there is a line for each thing that happens, at its time, and what to do at a halt", () => {
  const { context, said } = createCommandContext({ clock: createFakeClock(rolloutTime(700)) });
  const renderer = createRolloutRenderer("plain", context);
  const played = playRollout()
    .canary()
    .orders(645, "web01")
    .ends(690, "web01", { outcome: "rolled-back", code: "UNHEALTHY", detail: "nginx.service failed" })
    .add(691, { type: "halted", code: "HOSTS_FAILED", detail: "1 failed of 5" })
    .add(692, { type: "aborted", by: "mo", reason: "lunch" });
  renderer.show(played.rollout(), played.events);
  expect(said.stderr.replaceAll(played.id, "ID")).toMatchInlineSnapshot(`
    "12:00:00Z kai asked for 9c41e7f on 5 hosts
    12:00:01Z planned
    12:00:02Z the wave canary begins
    12:00:02Z testvm01: ordered
    12:00:43Z testvm01: completed
    12:00:43Z the wave canary soaks until 12:10 UTC
    12:10:43Z the wave canary is good
    12:10:45Z web01: ordered
    12:11:30Z web01: rolled back: nginx.service failed (UNHEALTHY)
    12:11:31Z halted because more hosts failed than allowed: 1 failed of 5 (HOSTS_FAILED)
    12:11:32Z aborted by mo: lunch
    "
  `);
});

test("foreign text in a log moves no cursor and starts no line", () => {
  const { context, said } = createCommandContext();
  const renderer = createRolloutRenderer("plain", context);
  const played = playRollout().add(2, { type: "paused", by: "mo", reason: "a\u001b[2Jb\n::error::c" });
  renderer.show(played.rollout(), played.events);
  renderer.finish(played.rollout(), 0);
  expect(`${said.stdout}${said.stderr}`).not.toMatch(/\u001b|^::/m);
});
