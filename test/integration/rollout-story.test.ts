// A new build reaches the fleet by itself, or stops before it hurts: the real deployer, the real commands and a real NATS server
// with the generated permissions; hosts judge each order as hosts do, and then do what the test wants. With everything real:
// rollout-chain.test.ts.
import { expect, test as base } from "vitest";
import type { RolloutLog } from "../../src/bus/rollout-bus.ts";
import { newOrderId } from "../../src/deploy/ordering/compose-order.ts";
import { parseHostName } from "../../src/protocol/names.ts";
import { newRolloutId } from "../../src/protocol/rollout/rollout-events.ts";
import { goodDeployment } from "../support/deploy-events.ts";
import { aRolloutEvent, created } from "../support/rollout-events.ts";
import type { PlayedHost } from "../support/played-host.ts";
import { pathOf, startPlayedFleet, type PlayedFleet } from "../support/played-fleet.ts";

const poll = { timeout: 90_000, interval: 200 };
const names = { web: "web01.lan", canary: "testvm01" } as const;

interface Lab extends PlayedFleet {
  readonly web: PlayedHost;
  readonly canary: PlayedHost;
}

const test = base.extend("lab", { scope: "file" }, async ({}, { onCleanup }): Promise<Lab> => {
  const fleet = await startPlayedFleet({
    hosts: { [names.canary]: { wave: 0 }, [names.web]: { role: "web" } },
    rules: { automatic: true, soakSeconds: 1 },
  });
  onCleanup(() => fleet[Symbol.asyncDispose]());
  await fleet.startDeployer();
  return { ...fleet, web: fleet.host(names.web), canary: fleet.host(names.canary) };
});

test("a green build reaches the canary, and then the rest", async ({ lab }) => {
  await lab.build("a");
  await expect.poll(() => lab.web.state().running.path, poll).toBe(pathOf(names.web, "a"));
  expect(lab.canary.state().running.path).toBe(pathOf(names.canary, "a"));
  await expect
    .poll(async () => (await lab.run("rollouts", "show", "last")).stdout, poll)
    .toContain("completed");
  const shown = await lab.run("rollouts", "show", "last");
  expect(shown, shown.stderr).toMatchObject({ exitCode: 0 });
  expect(shown.stdout).toContain("canary");
  await expect.poll(() => lab.webhook.told.length, poll).toBe(2);
});

test("what breaks on the canary stops there, is told with the reason, and stays so over a restart", async ({
  lab,
}) => {
  lab.canary.play = (script) =>
    script
      .add("received")
      .add("activating")
      .add("rolling-back", { why: "gitea.service failed", code: "UNHEALTHY" })
      .add("finished", { outcome: "rolled-back", code: "UNHEALTHY" });
  const before = lab.web.seen.length;
  await lab.build("b");
  await expect.poll(async () => (await lab.run("rollouts", "show", "last")).stdout, poll).toContain("halted");
  await expect.poll(() => lab.webhook.told.at(-1), poll).toContain("gitea.service failed");
  await lab.startDeployer();
  const aborted = await lab.run("rollouts", "abort", "--reason", "gitea is broken");
  expect(aborted, aborted.stderr).toMatchObject({ exitCode: 0 });
  await expect
    .poll(async () => (await lab.run("rollouts", "show", "last")).stdout, poll)
    .toContain("aborted");
  // A host that went back is worse than what nobody came to.
  expect(await lab.run("rollouts", "show", "last")).toMatchObject({ exitCode: 1 });
  expect(lab.web.seen).toHaveLength(before);
  expect(lab.canary.state().running.path).toBe(pathOf(names.canary, "a"));
});

test("nothing red is deployed; the next green build is, by a person's word as well", async ({ lab }) => {
  lab.canary.play = goodDeployment;
  const before = lab.web.seen.length;
  await lab.build("c", "build-failed");
  await lab.build("d");
  const done = await lab.run("deploy", "--all", "--yes", "--reason", "the fair");
  // The deployer may have begun with it by itself.
  expect(done, done.stderr).toMatchObject({ exitCode: 0 });
  await expect.poll(() => lab.web.state().running.path, poll).toBe(pathOf(names.web, "d"));
  expect(lab.web.seen.slice(before).map((seen) => (typeof seen === "string" ? seen : seen.path))).toEqual([
    pathOf(names.web, "d"),
  ]);
});

test("who may order, and no more, can write into no rollout what the deployer would sign", async ({
  lab,
}) => {
  const signal = AbortSignal.timeout(120_000);
  const { operator } = lab;
  const before = [lab.web, lab.canary].map(({ seen }) => seen.length);
  const id = newRolloutId(new Date());
  const host = parseHostName(names.web);
  const path = pathOf(names.web, "a");
  const forged = [
    created(id, { hosts: [host] }),
    aRolloutEvent(id, {
      type: "planned",
      part: 0,
      parts: 1,
      waves: [{ name: "all" }],
      hosts: [{ host, wave: 0, path }],
    }),
    aRolloutEvent(id, { type: "wave-started", wave: 0 }),
    aRolloutEvent(id, {
      type: "ordered",
      orders: [{ host, order: newOrderId(new Date()), kind: "reboot", path }],
    }),
  ];
  let after = 0;
  for (const event of forged) after = (await operator.appendRolloutEvent(event, after, signal)) ?? -1;
  // It is ended by the deployer, and stays in nobody's way.
  await expect
    .poll(async () => (await lab.run("rollouts", "show", id)).stdout, poll)
    .toContain("did not create it");
  // Into one of the deployer's own it cannot be smuggled either.
  lab.canary.delayMs = 300;
  await lab.build("e");
  let last: RolloutLog | undefined;
  await expect
    .poll(async () => {
      const [newest] = await operator.rolloutIds(signal);
      last = newest === undefined || newest === id ? undefined : await operator.readRollout(newest, signal);
      return last?.events.some(({ type }) => type === "ordered");
    }, poll)
    .toBe(true);
  const [begun] = last?.events ?? [];
  for (;;) {
    if (begun === undefined) throw new Error("nothing was begun");
    const { sequence } = await operator.readRollout(begun.rollout, signal);
    const orders = [{ host, order: newOrderId(new Date()), kind: "reboot", path }];
    const event = aRolloutEvent(begun.rollout, { type: "ordered", orders });
    if ((await operator.appendRolloutEvent(event, sequence, signal)) !== undefined) break;
  }
  await expect.poll(() => lab.web.state().running.path, poll).toBe(pathOf(names.web, "e"));
  await expect.poll(() => lab.deployerLog(), poll).toContain("is not the deployer's and is left out");
  const seen = [lab.web, lab.canary].map((each, index) => each.seen.slice(before[index]));
  expect(seen.flat().map((each) => (typeof each === "string" ? each : each.kind))).toEqual([
    "activate",
    "activate",
  ]);
});
