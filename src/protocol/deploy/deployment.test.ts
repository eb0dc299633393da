import fc from "fast-check";
import { expect, test } from "vitest";
import { deployEventTypes, goodDeployment, scriptDeployments } from "../../../test/support/deploy-events.ts";
import { orderId, somePath } from "../../../test/support/deploy-orders.ts";
import { decodeDeployEvent, encodeDeployEvent, type DeployEvent } from "./deploy-events.ts";
import { applyDeployEvent, deploymentOf, emptyHostLog, foldDeployEvents } from "./deployment.ts";

/** Events of four orders, and of none, in any order: what a log could hold after every kind of crash. */
const someLog = fc
  .array(fc.record({ type: fc.constantFrom(...deployEventTypes), order: fc.nat({ max: 4 }) }), {
    maxLength: 60,
  })
  .chain((entries) =>
    fc.nat({ max: 400 }).map((firstIndex): readonly DeployEvent[] => {
      const script = scriptDeployments({ firstIndex });
      for (const { type, order } of entries) {
        script.add(type, { order: order === 4 ? undefined : orderId(order) });
      }
      return script.events;
    }),
  );

test("every log folds, each order has at most one outcome, and that one never changes", () => {
  fc.assert(
    fc.property(someLog, (events) => {
      let log = emptyHostLog;
      const ends = new Map<string, unknown>();
      for (const event of events) {
        log = applyDeployEvent(log, decodeDeployEvent(encodeDeployEvent(event)));
        for (const { order, end } of log.deployments) {
          if (order === undefined || end === undefined) continue;
          expect(ends.get(order) ?? end).toBe(end);
          ends.set(order, end);
        }
      }
      const orders = log.deployments.flatMap(({ order }) => order ?? []);
      expect(new Set(orders).size).toBe(orders.length);
      for (const { end, phase, phases } of log.deployments) {
        expect(phase === "finished").toBe(end !== undefined);
        expect(phases.at(-1)?.phase).toBe(phase);
        expect(phases.slice(0, -1).every(({ ms }) => ms !== undefined && ms >= 0)).toBe(true);
      }
      const finished = events.flatMap(({ type, order }) => (type === "finished" ? (order ?? []) : []));
      expect(finished.filter((order) => deploymentOf(log, order)?.end === undefined)).toEqual([]);
    }),
    { numRuns: 1000 },
  );
});

test("what was folded already changes nothing", () => {
  fc.assert(
    fc.property(someLog, (events) => {
      const log = foldDeployEvents(events);
      expect(events.reduce(applyDeployEvent, log)).toBe(log);
    }),
  );
});

test("a host that was reinstalled counts from 0 again", () => {
  const before = goodDeployment(scriptDeployments());
  const log = foldDeployEvents(before.events);
  const later = new Date("2026-12-24T12:00:00.000Z").toISOString();
  const again = scriptDeployments({ order: orderId(2) }).add("received", { at: later });
  expect(again.events.reduce(applyDeployEvent, log)).toMatchObject({
    nextIndex: 1,
    deployments: [{ end: { outcome: "completed" } }, { order: orderId(2), phase: "verifying" }],
  });
});

test("a good deployment has its phases with their durations", () => {
  const { deployments } = foldDeployEvents(goodDeployment(scriptDeployments()).events);
  expect(deployments).toMatchObject([
    {
      order: orderId(1),
      received: { kind: "activate", path: somePath("new") },
      from: somePath("old"),
      end: { outcome: "completed" },
    },
  ]);
  expect(deployments[0]?.phases.map(({ phase, ms }) => [phase, ms])).toEqual([
    ["verifying", 1000],
    ["fetching", 1000],
    ["preflight", 2000],
    ["activating", 2000],
    ["checking", 1000],
    ["confirming", 2000],
    ["persisting", 1000],
    ["finished", undefined],
  ]);
});

test("a roll-back gives its reason and its code to the end", () => {
  const log = foldDeployEvents(
    scriptDeployments()
      .add("received")
      .add("activating")
      .add("checking")
      .add("rolling-back")
      .add("finished", { outcome: "rolled-back" }).events,
  );
  expect(deploymentOf(log, orderId(1))?.end).toMatchObject({
    outcome: "rolled-back",
    code: "UNHEALTHY",
    detail: "gitea.service failed",
  });
});

test.each([
  ["HELD", "rejected"],
  ["EXPIRED", "expired"],
  ["SUPERSEDED", "superseded"],
] as const)("a refusal with %s ends it as %s, with the host's serial", (code, outcome) => {
  const { events } = scriptDeployments().add("received").add("rejected", { code, serial: 7 }).add("finished");
  expect(deploymentOf(foldDeployEvents(events), orderId(1))?.end).toMatchObject({ outcome, code, serial: 7 });
});

test("an order that is at work already is not ended by a second copy of it", () => {
  const { events } = scriptDeployments()
    .add("received")
    .add("activating")
    .add("rejected", { code: "REPLAYED" });
  const deployment = deploymentOf(foldDeployEvents(events), orderId(1));
  expect(deployment).toMatchObject({ phase: "activating", warnings: [expect.stringContaining("REPLAYED")] });
  expect(deployment?.end).toBeUndefined();
});

test("a staged deployment continues after the boot", () => {
  const script = scriptDeployments().add("received").add("staged");
  expect(deploymentOf(foldDeployEvents(script.events), orderId(1))).toMatchObject({
    phase: "staged",
    staged: "a new kernel",
  });
  script.add("rebooting").add("booted").add("checked").add("confirmed").add("finished");
  expect(deploymentOf(foldDeployEvents(script.events), orderId(1))?.end).toMatchObject({
    outcome: "completed",
  });
});
