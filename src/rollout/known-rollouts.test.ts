import { expect, test } from "vitest";
import { silentLog } from "../base/log.ts";
import { newRolloutId } from "../protocol/rollout/rollout-events.ts";
import { parseRepoName } from "../protocol/names.ts";
import { createFakeRolloutBus } from "../../test/support/fake-rollout-bus.ts";
import { aRolloutEvent, created, rolloutRepo as repo } from "../../test/support/rollout-events.ts";
import { createVirtualClock } from "../../test/support/virtual-clock.ts";
import { createKnownRollouts } from "./known-rollouts.ts";
import * as v from "valibot";

const signal = AbortSignal.timeout(60_000);
const day = 86_400_000;
const now = Date.parse("2026-11-29T12:00:00.000Z");
const path = (name: string): string => `/nix/store/${"0".repeat(32)}-${name}`;

function aLab() {
  const bus = createFakeRolloutBus();
  const known = createKnownRollouts({
    repo,
    rollouts: bus,
    whenOnlineMs: 7 * day,
    clock: createVirtualClock(new Date(now).toISOString()),
    log: silentLog,
  });
  /** A whole rollout that began so many days ago. */
  async function past(days: number, of: { repo?: string; hosts?: readonly object[]; outcome?: string } = {}) {
    const id = newRolloutId(new Date(now - days * day));
    const { hosts = [{ host: "web01", wave: 0, path: path("new") }], outcome = "completed" } = of;
    const events = [
      { ...created(id), ...(of.repo === undefined ? {} : { repo: parseRepoName(of.repo) }) },
      aRolloutEvent(id, { type: "planned", part: 0, parts: 1, waves: [{ name: "all" }], hosts }),
      aRolloutEvent(id, { type: "finished", outcome }),
    ];
    let after = 0;
    for (const event of events) after = (await bus.appendRolloutEvent(event, after, signal)) ?? -1;
    return id;
  }
  return { bus, known, past, read: async () => known.read(signal) };
}

test("a host that may still come back is known, however many rollouts came after", async () => {
  const { past, read } = aLab();
  const away = { host: "laptop", wave: 0, path: path("new"), from: path("old"), leftOut: "absent" };
  const first = await past(6, { hosts: [away, { host: "web01", wave: 0, path: path("new") }] });
  for (let count = 0; count < 150; count++) await past(5, { repo: "desktops" });
  for (let count = 0; count < 150; count++) await past(4);
  const known = await read();
  expect(known).toHaveLength(151);
  expect(known.at(-1)).toMatchObject({ id: first, absent: [{ host: "laptop" }] });
});

test("of long ago, so many are known that nothing is begun twice, and no more", async () => {
  const { past, read } = aLab();
  for (let count = 0; count < 120; count++) await past(200);
  expect(await read()).toHaveLength(100);
});

test("what nobody was there for has proven nothing, and reached nobody", async () => {
  const { past, read } = aLab();
  const away = { host: "laptop", wave: 0, path: path("new"), leftOut: "absent" };
  await past(1, { hosts: [away], outcome: "completed-with-absent" });
  const there = { host: "web01", wave: 0, path: path("new"), leftOut: "unchanged" };
  await past(2, { hosts: [away, there], outcome: "completed-with-absent" });
  const [nobody, somebody] = await read();
  expect(nobody).toMatchObject({ isProven: false, reachedNobody: true });
  expect(somebody).toMatchObject({ isProven: true, reachedNobody: false });
});

test("a rollout that another key began is ended once, and not taken for one of ours", async () => {
  const { bus, known } = aLab();
  const id = newRolloutId(new Date(now));
  await bus.appendRolloutEvent(created(id), 0, signal);
  const other = newRolloutId(new Date(now + 1));
  await bus.appendRolloutEvent({ ...created(other), repo: v.parse(v.any(), "desktops") }, 0, signal);
  // As a deployer reads what it did not seal.
  const readRollout: typeof bus.readRollout = async (wanted, until) => {
    const log = await bus.readRollout(wanted, until);
    return { events: [], sequence: log.sequence, foreign: log.events };
  };
  const sealed = createKnownRollouts({
    repo,
    rollouts: { ...bus, readRollout },
    whenOnlineMs: 7 * day,
    clock: createVirtualClock(new Date(now).toISOString()),
    log: silentLog,
  });
  expect(await sealed.read(signal)).toEqual([]);
  // It orders nothing, and its commit does not begin again by itself.
  for (let again = 0; again < 2; again++) {
    const begun = { id, end: { outcome: "failed" }, absent: [], isProven: false, reachedNobody: false };
    expect(await sealed.read(signal)).toMatchObject([begun]);
  }
  expect((await bus.readRollout(id, signal)).events.map(({ type }) => type)).toEqual(["created", "finished"]);
  // Another repo's is its own deployer's.
  expect((await bus.readRollout(other, signal)).events.map(({ type }) => type)).toEqual(["created"]);
  expect(await known.read(signal)).toMatchObject([{ id, end: { outcome: "failed" } }]);
});
