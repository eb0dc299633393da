import { expect, test } from "vitest";
import { orderId } from "../../test/support/deploy-orders.ts";
import { playedStates, playRollout, type PlayedRollout } from "../../test/support/played-rollout.ts";
import { rolloutTime } from "../../test/support/rollout-events.ts";
import { rolloutOutcomes, haltCodes } from "../protocol/rollout/rollout-events.ts";
import { hostWaits, rolloutWait } from "./rollout-waits.ts";
import {
  haltWords,
  hostWaitText,
  listed,
  outcomeWords,
  progressText,
  rolloutHostWords,
  rolloutStateWords,
} from "./rollout-words.ts";

const none = playedStates(0);
const at = (second: number): Date => new Date(rolloutTime(second));
const stateOf = (played: PlayedRollout, second: number): string =>
  rolloutStateWords(played.rollout(), none, at(second)).text;
const nightly = { windows: [{ days: ["sun"], start: "02:00", minutes: 120 }] };

/** What a waiting host is said to wait for. */
function waitOf(played: PlayedRollout, name: string, second: number): string | undefined {
  const rollout = played.rollout();
  const host = [...rollout.hosts.values()].find((each) => each.host === name);
  const wait = host && hostWaits(rollout, none, at(second))(host);
  return wait && hostWaitText(wait, rollout, at(second));
}

test("a rollout waits for its turn, for its plan, and then for the deployer", () => {
  expect(stateOf(playRollout({}, { isPlanned: false }), 1)).toBe("waits for its turn");
  const half = playRollout({}, { isPlanned: false }).add(1, {
    type: "planned",
    part: 0,
    parts: 2,
    waves: [],
    hosts: [],
  });
  expect(stateOf(half, 1)).toBe("is being planned");
  expect(stateOf(playRollout(), 1)).toBe("waits for the deployer");
});

test("it waits for hosts under way, and says which of them are silent", () => {
  const played = playRollout().add(2, { type: "wave-started", wave: 0 }).orders(2, "testvm01");
  expect(stateOf(played, 10)).toBe("deploying testvm01");
  const states = playedStates(2, { testvm01: {} });
  expect(rolloutStateWords(played.rollout(), states, at(600)).text).toBe(
    "deploying testvm01; testvm01 does not answer",
  );
});

test("it says until when a wave soaks, when a window opens, and who paused it and why", () => {
  const soaking = playRollout()
    .add(2, { type: "wave-started", wave: 0 })
    .orders(2, "testvm01")
    .ends(43, "testvm01")
    .add(43, { type: "soaking", wave: 0, until: rolloutTime(643) });
  expect(stateOf(soaking, 50)).toBe("canary soaks until 12:10 UTC");
  expect(stateOf(playRollout({ policy: nightly }), 1)).toBe("the window opens Sun 02:00 UTC");
  expect(stateOf(playRollout().add(2, { type: "paused", by: "mo", reason: "lunch" }), 3)).toBe(
    "paused by mo: lunch",
  );
  expect(stateOf(playRollout().canary().add(644, { type: "paused", by: "deployer", wave: 1 }), 650)).toBe(
    "waits for a person before the wave prod",
  );
});

test("a halt and an abort come before all else, and its end is what counts then", () => {
  const halted = playRollout()
    .canary()
    .add(650, { type: "halted", code: "HOSTS_FAILED", detail: "1 failed of 5" });
  expect(stateOf(halted, 660)).toBe("halted: 1 failed of 5");
  const aborted = playRollout().canary().orders(650, "web01").add(651, { type: "aborted", by: "mo" });
  expect(stateOf(aborted, 660)).toBe("aborted by mo; web01 finishes first");
  expect(stateOf(aborted.add(700, { type: "finished", outcome: "aborted" }), 701)).toBe("aborted");
  expect(rolloutWait(aborted.rollout(), none, at(702))).toBeUndefined();
});

test("a host waits for its wave, for one of its role, for a place, and for those that others need", () => {
  const played = playRollout().add(2, { type: "wave-started", wave: 0 }).orders(2, "testvm01");
  expect(waitOf(played, "web01", 10)).toBe("waits for the wave canary");
  const prod = playRollout().canary().add(644, { type: "wave-started", wave: 1 }).orders(644, "web01");
  expect(waitOf(prod, "web02", 650)).toBe("waits for web01 (role web, one at a time)");
  expect(waitOf(prod, "gitea", 650)).toBe("waits for the wave prod");
  const full = playRollout({ policy: { maxUnavailable: 1 } })
    .canary()
    .add(644, { type: "wave-started", wave: 2 })
    .add(644, { type: "wave-started", wave: 1 })
    .orders(644, "gitea");
  expect(waitOf(full, "web02", 650)).toBe("waits (1 at a time)");
  const needed = playRollout()
    .canary()
    .add(644, { type: "wave-started", wave: 1 })
    .add(644, { type: "wave-started", wave: 2 })
    .orders(644, "web01");
  expect(waitOf(needed, "gitea", 650)).toBe("waits for web01 (others need them: one at a time)");
});

test("a host waits for what somebody else ordered, there and at another one of its role", () => {
  const prod = playRollout().canary().add(644, { type: "wave-started", wave: 1 }).rollout();
  const order = { id: orderId(7), serial: 1, phase: "activating" };
  const states = playedStates(650, { web01: { order } });
  const waitOfHost = hostWaits(prod, states, at(650));
  const texts = [...prod.hosts.values()].flatMap((host) => {
    const wait = waitOfHost(host);
    return wait === undefined ? [] : [[host.host, hostWaitText(wait, prod, at(650))]];
  });
  expect(Object.fromEntries(texts)).toMatchObject({
    web01: "waits until it has done what somebody else ordered",
    web02: "waits for web01 (role web, one at a time)",
  });
});

test("a host waits for a window, for a person, and to be ordered again", () => {
  const closed = playRollout({ policy: nightly }).add(2, { type: "wave-started", wave: 0 });
  expect(waitOf(closed, "testvm01", 3)).toBe("the window opens Sun 02:00 UTC");
  const paused = playRollout().add(2, { type: "paused", by: "mo" });
  expect(waitOf(paused, "testvm01", 3)).toBe("waits: the rollout is paused");
  const busy = playRollout()
    .add(2, { type: "wave-started", wave: 0 })
    .orders(2, "testvm01")
    .ends(4, "testvm01", { outcome: "rejected", code: "BUSY" });
  expect(waitOf(busy, "testvm01", 5)).toBe("waits to be ordered again (BUSY)");
  expect(waitOf(playRollout().canary(), "testvm01", 700)).toBeUndefined();
});

test("each host in a line: how far it is, how it ended, and what it runs then", () => {
  const played = playRollout()
    .canary()
    .add(644, { type: "wave-started", wave: 1 })
    .orders(644, "web01", "gitea")
    .ends(700, "gitea", { outcome: "rolled-back", code: "UNHEALTHY", detail: "gitea.service failed" });
  const rollout = played.rollout();
  const order = [...rollout.hosts.values()].find(({ host }) => host === "web01")?.order?.order;
  const states = playedStates(650, {
    web01: { order: { id: order, serial: 9, phase: "confirming" } },
    testvm01: { reboot: { needed: ["kernel"] } },
    laptop: { at: "2026-11-26T11:00:00.000Z" },
  });
  const words = [...rollout.hosts.values()].map((host) => {
    const { text, ms, note } = rolloutHostWords(rollout, states, at(650))(host);
    return [host.host, text, ms, note];
  });
  expect(words).toEqual([
    ["testvm01", "completed", 41_000, "reboot needed (kernel)"],
    ["web01", "confirming", 6000, undefined],
    ["web02", "waits for web01 (role web, one at a time)", undefined, undefined],
    ["laptop", "absent, last seen 3 d ago", undefined, "ordered when it comes back"],
    ["gitea", "rolled back: gitea.service failed (UNHEALTHY)", 41_000, "runs 4be10a9 as before"],
  ]);
  expect(progressText(rollout)).toBe("1 of 5 hosts done, 1 failed");
});

test("a host that was never ordered is not said to wait once all is over", () => {
  const played = playRollout().add(2, { type: "finished", outcome: "aborted" });
  const rollout = played.rollout();
  const [first] = rollout.hosts.values();
  expect(first && rolloutHostWords(rollout, none, at(3))(first).text).toBe("not deployed");
});

test("every outcome and every code of a halt has words of its own", () => {
  expect(new Set(rolloutOutcomes.map((outcome) => outcomeWords[outcome])).size).toBe(rolloutOutcomes.length);
  expect(new Set(haltCodes.map((code) => haltWords[code])).size).toBe(haltCodes.length);
});

test.each([
  [["a"], "a"],
  [["a", "b", "c", "d"], "a, b, c, d"],
  [["a", "b", "c", "d", "e"], "a, b, c and 2 more"],
])("%j is listed as %s", (hosts, text) => {
  expect(listed(hosts)).toBe(text);
});

test("a host that waits says that it fetches ahead, or has, and nothing where that came to nothing", () => {
  const order = "01JDB3K2M4N5P6Q7R8S9T0V1W2";
  const played = playRollout()
    .canary()
    .add(650, {
      type: "fetch-ordered",
      orders: [{ host: "web01", order, path: `/nix/store/${"a".repeat(32)}-nixos-system` }],
    });
  const noteOf = (): string | undefined => {
    const rollout = played.rollout();
    const host = [...rollout.hosts.values()].find((each) => each.host === "web01");
    return host && rolloutHostWords(rollout, none, at(660))(host).note;
  };
  expect(noteOf()).toBe("fetching ahead");
  const ended = (outcome: string): object => ({
    type: "fetch-ended",
    results: [{ host: "web01", order, outcome }],
  });
  played.add(655, ended("fetched"));
  expect(noteOf()).toBe("already fetched");
  played.add(656, ended("failed"));
  expect(noteOf()).toBeUndefined();
});
