import { expect, test } from "vitest";
import { somePath, someSigner, someStatement } from "../../../test/support/deploy-orders.ts";
import { someHostState } from "../../../test/support/fake-deploy-bus.ts";
import { parseCommit, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { openStatement } from "../../signing/open-envelope.ts";
import { signStatement } from "../../signing/sign-envelope.ts";
import { decidePlan, exitCodeOfRefusal, type HostFacts, type PlanSpecification } from "./decide-plan.ts";

const now = new Date("2026-11-29T12:01:00.000Z");
const signed = signStatement(someStatement(), someSigner("builder"));
const stated = { ...openStatement(signed), signed };
const deploy: PlanSpecification = { kind: "activate", action: "switch", reboot: false, allowDrift: false };

function factsOf(changes: object = {}, more: Partial<HostFacts> = {}): HostFacts {
  const state = someHostState(changes);
  return { address: { repo: state.repo, host: state.host }, state, stated, ...more };
}

const only = (facts: HostFacts, specification: Partial<PlanSpecification> = {}) =>
  decidePlan([facts], { ...deploy, ...specification }, now)[0];

test("a deploy goes from what runs to what was stated", () => {
  expect(only(factsOf())).toMatchObject({
    from: somePath("old"),
    to: somePath("new"),
    commit: "c".repeat(40),
    isUnchanged: false,
  });
  expect(only(factsOf())?.refusal).toBeUndefined();
});

test("hosts that others need come last, in the order in which they were named otherwise", () => {
  const host = (name: string, serves: readonly string[]): HostFacts => factsOf({ host: name, serves });
  const hosts = [
    host("nats01", ["nats"]),
    host("web01", []),
    host("cache01", ["cache"]),
    host("web02", ["mail"]),
  ];
  expect(decidePlan(hosts, deploy, now).map(({ address }) => address.host)).toEqual([
    "web01",
    "web02",
    "nats01",
    "cache01",
  ]);
});

const hold = { by: "kai", reason: "the fair", at: "2026-11-29T10:00:00.000Z" };

test.each<[string, string | undefined, number, HostFacts, Partial<PlanSpecification>]>([
  [
    "a host that never spoke",
    "HOST_ABSENT",
    3,
    { address: { repo: parseRepoName("r"), host: parseHostName("h") } },
    {},
  ],
  ["a host that is away", "HOST_ABSENT", 3, factsOf({ at: "2026-11-29T11:50:00.000Z" }), {}],
  ["a host without a statement", "BAD_STATEMENT", 4, factsOf({}, { stated: undefined }), {}],
  ["a host that its option holds", "HELD", 4, factsOf({ hold: "the fair" }), {}],
  ["a host in migration", "HELD", 4, factsOf({ migration: true }), {}],
  ["a host that an operator holds", "HELD", 4, factsOf({}, { hold }), {}],
  [
    "a hold that is over",
    undefined,
    0,
    factsOf({}, { hold: { ...hold, until: "2026-11-29T11:00:00.000Z" } }),
    {},
  ],
  ["a host that was changed by hand", "CHANGED_MEANWHILE", 4, factsOf({ drift: ["hand-made"] }), {}],
  ["the same, when that is allowed", undefined, 0, factsOf({ drift: ["hand-made"] }), { allowDrift: true }],
  ["a rollback without a system before", "DOWNGRADE", 4, factsOf(), { kind: "rollback" }],
  [
    "a rollback of a drifted host",
    undefined,
    0,
    factsOf({ drift: ["profile"], previous: { path: somePath("older") } }),
    { kind: "rollback" },
  ],
])("%s: %s, exit %i", (_, code, exit, facts, specification) => {
  const refusal = only(facts, specification)?.refusal;
  expect(refusal?.code).toBe(code);
  expect(refusal === undefined ? 0 : exitCodeOfRefusal(refusal)).toBe(exit);
});

test("what runs and boots already is left alone, unless a boot waits and is specified", () => {
  const there = { running: { path: somePath("new") }, permanent: { path: somePath("new") } };
  expect(only(factsOf(there))?.isUnchanged).toBe(true);
  expect(only(factsOf({ ...there, permanent: { path: somePath("old") } }))?.isUnchanged).toBe(false);
  const waiting = factsOf({ ...there, reboot: { needed: ["kernel"] } });
  expect(only(waiting)).toMatchObject({ isUnchanged: true, rebootPending: ["kernel"] });
  expect(only(waiting, { reboot: true })).toMatchObject({ isUnchanged: false, kind: "reboot" });
});

test("a newer build that was not stated is said", () => {
  const newer = { commit: parseCommit("d".repeat(40)), verdict: "build-failed" };
  expect(only(factsOf({}, { newer }))?.notes).toEqual(["its newest build, of ddddddd, is build-failed"]);
});
