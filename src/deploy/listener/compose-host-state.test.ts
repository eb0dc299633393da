import { expect, test } from "vitest";
import { decodeHostState, encodeHostState, maxHostStateBytes } from "../../protocol/deploy/host-state.ts";
import { base64Of } from "../../protocol/deploy/order.ts";
import { signedOrder, somePolicy, somePath } from "../../../test/support/deploy-orders.ts";
import { remember, type HostMemory } from "../host-memory.ts";
import { composeHostState, whatMatters, type HostFacts } from "./compose-host-state.ts";

const now = new Date("2026-11-23T14:00:00.000Z");
const memory: HostMemory = {
  nextIndex: 1,
  serial: 7,
  firstStart: "2026-11-01T00:00:00.000Z",
  completed: [{ path: somePath("old"), commit: "9".repeat(40), at: "2026-11-20T00:00:00.000Z" }],
  isStuck: false,
  counts: { finished: [], rejected: [] },
};
const unit = (name: string, active: string) => ({
  name,
  names: [name],
  active,
  sub: active,
  result: "",
  type: "simple",
  restarts: 0,
  isTriggered: false,
  isWanted: true,
});
const facts: HostFacts = {
  policy: somePolicy(),
  memory,
  paths: {
    running: somePath("old"),
    etcStatic: undefined,
    booted: somePath("old"),
    permanent: { path: somePath("old"), generation: 4 },
    bootDefault: somePath("old"),
    bootId: "b",
  },
  units: [],
  rebootNeeded: [],
  nixosVersion: "25.11.20251101.abcdef\n",
  storeFree: 5,
  bootFree: undefined,
  version: "1.0.0",
  now,
  seq: 3,
};
const driftOf = (change: Partial<HostFacts>) => composeHostState({ ...facts, ...change }).drift;

test("a host that runs what it was ordered to has no drift", () => {
  expect(composeHostState(facts)).toMatchObject({
    running: { path: somePath("old"), commit: "9".repeat(40), nixosVersion: "25.11.20251101.abcdef" },
    drift: [],
    serial: 7,
    clock: { ok: true },
    store: { freeBytes: 5 },
    boot: undefined,
  });
});

test("what was done by hand is seen, and what does not belong to it is not", () => {
  const byHand = { ...facts.paths, running: somePath("other") };
  expect(driftOf({ paths: byHand })).toEqual(["hand-made"]);
  const upgrade = [unit("nixos-upgrade.timer", "active")];
  expect(driftOf({ paths: byHand, units: upgrade })).toEqual(["auto-upgrade"]);
  const profile = { ...facts.paths, permanent: { path: somePath("other"), generation: 5 } };
  expect(driftOf({ paths: profile })).toEqual(["profile"]);
  expect(driftOf({ paths: { ...facts.paths, bootDefault: somePath("other") } })).toEqual(["boot-default"]);
  // A boot loader that cannot be read says nothing, and before the first order nobody knows what belongs there.
  expect(driftOf({ paths: { ...facts.paths, bootDefault: undefined } })).toEqual([]);
  expect(driftOf({ paths: byHand, memory: { ...memory, completed: [] } })).toEqual([]);
  expect(driftOf({ paths: byHand, memory: undefined })).toEqual([]);
});

test("a clock that is behind what it has seen is not in order", () => {
  const clockFloor = "2026-11-23T14:06:00.000Z";
  expect(composeHostState({ ...facts, memory: { ...memory, clockFloor } }).clock).toEqual({ ok: false });
  const policy = somePolicy({ builtAfter: clockFloor });
  expect(composeHostState({ ...facts, policy }).clock).toEqual({ ok: false });
});

test("however much is wrong, the state fits into a message, and reads back", () => {
  const units = Array.from({ length: 500 }, (_, index) => unit("x".repeat(280) + index, "failed"));
  const state = composeHostState({ ...facts, units });
  const bytes = encodeHostState(state);
  expect(bytes.length).toBeLessThan(maxHostStateBytes);
  expect(decodeHostState(bytes).failedUnits).toHaveLength(50);
});

test("only the time and free bytes do not matter", () => {
  const later = composeHostState({
    ...facts,
    now: new Date("2026-11-23T14:01:00.000Z"),
    seq: 9,
    storeFree: 4,
  });
  expect(whatMatters(later)).toEqual(whatMatters(composeHostState(facts)));
  const failed = composeHostState({ ...facts, units: [unit("nginx.service", "failed")] });
  expect(whatMatters(failed)).not.toEqual(whatMatters(composeHostState(facts)));
});

test("a host says which orders it knows, and one that fetches for later is free for other orders", () => {
  const current = (kind: string) => {
    const { order, envelope } = signedOrder({ order: { kind } });
    const line = { v: 1, bootId: "b", envelope: base64Of(envelope) } as const;
    const { repo, host, id, action, path, serial, by } = order;
    const event = {
      type: "received",
      repo,
      host,
      order: id,
      kind: order.kind,
      action,
      path,
      serial,
      by,
    } as const;
    return remember(memory, { ...line, event: { ...event, index: 1, at: now.toISOString() } });
  };
  expect(composeHostState(facts).orderKinds).toContain("fetch");
  expect(composeHostState({ ...facts, memory: current("activate") }).order).toMatchObject({
    phase: "received",
  });
  expect(composeHostState({ ...facts, memory: current("fetch") }).order).toBeUndefined();
  // And it is as it was.
  const byHand = { ...facts.paths, permanent: { path: somePath("byhand"), generation: 5 } };
  expect(driftOf({ paths: byHand, memory: current("fetch") })).toEqual(driftOf({ paths: byHand }));
});
