import { expect, test } from "vitest";
import { goodDeployment, scriptDeployments } from "../../support/deploy-events.ts";
import { orderId, somePath } from "../../support/deploy-orders.ts";
import { someHostState } from "../../support/fake-deploy-bus.ts";
import { createChoices } from "../../support/random-choices.ts";
import { planRound } from "./plan-round.ts";
import { judgeHost, type HostFacts } from "./read-hosts.ts";

const path = somePath("new");
const { events } = goodDeployment(scriptDeployments());
const good: HostFacts = {
  runs: {
    running: path,
    booted: path,
    etc: "/nix/store/etc",
    permanent: path,
    generation: 2,
    bootDefault: path,
    bootId: "b",
  },
  etc: "/nix/store/etc",
  events,
  told: events,
  state: someHostState({ running: { path }, permanent: { path } }),
  newestOrder: orderId(1),
  units: { web: "active" },
  isActivating: false,
  failedUnits: [],
  leftFiles: [],
};

test("a host at rest that is of one system has no fault", () => {
  expect(judgeHost("web01", good)).toEqual([]);
});

test.each<readonly [string, Partial<HostFacts>]>([
  ["is half activated", { etc: "/nix/store/other" }],
  ["boots something else", { runs: { ...good.runs, bootDefault: somePath("old") } }],
  ["has a profile of something else", { runs: { ...good.runs, permanent: somePath("old") } }],
  ["still activates", { isActivating: true }],
  ["lost a unit", { units: { web: "inactive" } }],
  ["has a failed unit", { failedUnits: ["web.service"] }],
  ["left a file behind", { leftFiles: ["/run/nixos/start-list"] }],
  ["told NATS less than it did", { told: events.slice(0, -1) }],
  ["says that it runs something else", { state: someHostState({ running: { path: somePath("old") } }) }],
  ["never took its newest order", { newestOrder: orderId(2) }],
  ["did not end an order", { events: events.slice(0, -1), told: events.slice(0, -1) }],
])("one that %s has", (_, wrong) => {
  expect(judgeHost("web01", { ...good, ...wrong })).not.toEqual([]);
});

test("a seed always plans the same, and some seeds plan each thing that can happen", () => {
  const plan = (seed: number) => planRound(createChoices(seed), "http://gate.lan");
  expect(plan(7)).toEqual(plan(7));
  const types = new Set(
    Array.from({ length: 200 }, (_, seed) => plan(seed).disturbances.map(({ type }) => type)).flat(),
  );
  expect([...types].toSorted()).toEqual(
    ["abort", "deployer", "gate", "hand", "hold", "kill", "link", "nats", "pause", "power"].toSorted(),
  );
});
