import { expect, test } from "vitest";
import { somePath } from "../../support/deploy-orders.ts";
import { goodDeployment, scriptDeployments } from "../../support/deploy-events.ts";
import { judgeHost, type HostFacts } from "./judge-host.ts";

const before = {
  running: somePath("old"),
  booted: somePath("old"),
  etc: undefined,
  permanent: somePath("old"),
  generation: 4,
  bootDefault: somePath("old"),
  bootId: "b",
};
const target = somePath("new");
const { events } = goodDeployment(scriptDeployments({ host: "web01", start: "2026-11-29T12:00:00.000Z" }));
const undone = scriptDeployments({ host: "web01", start: "2026-11-29T12:00:00.000Z" })
  .add("received")
  .add("rolling-back")
  .add("finished", { outcome: "rolled-back", code: "INTERRUPTED" }).events;
const good: HostFacts = {
  name: "trial",
  outcome: "completed",
  target,
  before,
  after: { ...before, running: target, permanent: target, bootDefault: target, generation: 5 },
  generations: [3, 4, 5],
  events,
  told: events,
  units: { "web.service": "active" },
  failedUnits: [],
  leftFiles: [],
};
const back: HostFacts = {
  ...good,
  outcome: "rolled-back",
  after: before,
  generations: [3, 4],
  events: undone,
  told: undone,
};

test("a host that came to an end that may be, and is whole, has no fault", () => {
  expect(judgeHost(good)).toEqual([]);
  expect(judgeHost(back)).toEqual([]);
});

test.each<readonly [string, HostFacts]>([
  ["lost", { ...good, events: [] }],
  ["endless", { ...good, events: events.slice(0, -1) }],
  ["duplicated", { ...good, events: [...events, ...events.slice(-1)] }],
  ["wrong", { ...good, outcome: "rolled-back" }],
  ["wrong", { ...good, after: before }],
  ["wrong", { ...good, after: { ...good.after, bootDefault: before.bootDefault } }],
  ["wrong", { ...back, after: { ...before, generation: 5 } }],
  ["wrong", { ...back, generations: [3, 4, 5] }],
  ["wrong", { ...good, units: { "web.service": "inactive" } }],
  ["wrong", { ...good, failedUnits: ["web.service"] }],
  ["wrong", { ...good, leftFiles: ["/run/nixos/start-list"] }],
  ["wrong", { ...good, told: events.slice(0, -1) }],
])("%s: found in %#", (kind, facts) => {
  expect(judgeHost(facts).map((fault) => fault.kind)).toContain(kind);
});
