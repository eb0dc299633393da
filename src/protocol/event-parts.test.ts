import fc from "fast-check";
import { expect, test } from "vitest";
import {
  sampleBuild,
  scriptStart,
  hostRef,
  storePath,
  sampleCommit,
} from "../../test/support/build-events.ts";
import { applyEvent, unknownBuild, type BuildState } from "./build-state.ts";
import { inEvents } from "./event-parts.ts";
import { composeEvent, decodeEvent, encodeEvent, type EventBody, type EventOf } from "./events.ts";
import { parseBuilderName, parseRepoName } from "./names.ts";
import { limits } from "./wire.ts";

const long = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc
    .tuple(fc.constantFrom("x", "\u0000", "ä", "😀", "\\"), fc.integer({ min: 0, max: 300_000 }))
    .map(([unit, times]) => unit.repeat(times / unit.length)),
);
const hosts = fc
  .integer({ min: 1, max: 12_000 })
  .map((count) => Array.from({ length: count }, (_, i) => hostRef(`host${i}`)));

function store(bodies: readonly EventBody[], state: BuildState = unknownBuild(sampleBuild)): BuildState {
  for (const body of bodies) {
    const envelope = { build: sampleBuild, epoch: 1, index: state.nextIndex, at: scriptStart };
    const bytes = encodeEvent(composeEvent(envelope, body));
    expect(bytes.byteLength).toBeLessThanOrEqual(limits.event);
    state = applyEvent(state, decodeEvent(bytes));
  }
  return state;
}

const accepted = (more: Partial<EventOf<"accepted">>): EventOf<"accepted"> => ({
  type: "accepted",
  builder: parseBuilderName("cache"),
  priority: "batch",
  trigger: "ci",
  sources: [{ repo: hostRef("web").repo, commit: sampleCommit }],
  hosts: [hostRef("web")],
  skipped: [],
  ...more,
});

test("whatever happened can be stored and read again", { timeout: 60_000 }, () => {
  const body: fc.Arbitrary<EventBody> = fc.oneof(
    fc.record({ hosts, reason: long, details: long }).map((known): EventBody => ({
      type: "hosts-finished",
      hosts: known.hosts.slice(0, 20).map((host) => ({
        ...host,
        verdict: "eval-failed",
        reason: known.reason,
        details: known.details,
        durationMs: 0,
      })),
    })),
    fc.record({ hosts, text: long, lines: fc.integer({ min: 0, max: 100 }) }).map((known): EventBody => ({
      type: "derivation-failed",
      drvPath: storePath("broken.drv"),
      name: known.text,
      kind: "failed",
      reason: known.text,
      phase: known.text,
      tail: Array.from({ length: known.lines }, () => known.text),
      hosts: known.hosts,
    })),
    fc.record({ hosts, reason: long }).map(({ reason, hosts: retried }): EventBody => ({
      type: "retrying",
      hosts: retried,
      reason,
      attempt: 2,
      delayMs: 1,
    })),
    fc
      .record({ hosts, host: long, reason: long, count: fc.integer({ min: 0, max: 300 }) })
      .map((known): EventBody =>
        accepted({
          hosts: known.hosts,
          skipped: Array.from({ length: known.count }, () => ({
            repo: hostRef("web").repo,
            host: known.host.slice(0, 1000),
            reason: known.reason.slice(0, 2000),
          })),
        }),
      ),
    fc
      .tuple(long, long)
      .map(([message, hint]): EventBody => ({ type: "rejected", code: "X", message, hint })),
    long.map((message): EventBody => ({ type: "warning", message })),
    long.map((reason): EventBody => ({ type: "finished", verdict: "failed", reason, durationMs: 0 })),
  );
  fc.assert(
    fc.property(body, (happened) => {
      const state = store(inEvents(happened));
      if (happened.type !== "accepted") return;
      expect(state.hosts.size).toBe(happened.hosts.length);
      expect(state.skipped).toHaveLength(happened.skipped.length);
      expect(state.isPartial ?? false).toBe(false);
    }),
    { numRuns: 60 },
  );
});

test("the longest failure that many hosts share fits, when every character of it takes six bytes", () => {
  const worst = "\u0000".repeat(20_000);
  const failed: EventBody = {
    type: "derivation-failed",
    drvPath: storePath("broken.drv"),
    name: worst,
    kind: "failed",
    reason: worst,
    phase: worst,
    tail: Array.from({ length: 100 }, () => worst),
    hosts: Array.from({ length: 20_000 }, (_, i) => hostRef(`host${i}`)),
  };
  const events = inEvents(failed);
  store(events);
  expect(events.flatMap((event) => (event.type === "derivation-failed" ? event.hosts : []))).toHaveLength(
    20_000,
  );
});

test("an inventory that is too large comes in parts, of which only the last says that it is complete", () => {
  const many = Array.from({ length: 20_000 }, (_, i) => hostRef(`host${i}`));
  const parts = inEvents(accepted({ hosts: many, complete: true }));
  expect(parts.length).toBeGreaterThan(2);
  const halfway = store(parts.slice(0, 2));
  expect([halfway.isPartial, halfway.complete, halfway.hosts.size < many.length]).toEqual([
    true,
    undefined,
    true,
  ]);
  const whole = store(parts);
  expect([whole.isPartial, whole.complete, whole.hosts.size]).toEqual([false, true, many.length]);
});

test("the locks of many flakes are left out where an event cannot hold them, and of few they are kept", () => {
  const text = "x".repeat(120);
  const inputs = Array.from({ length: 64 }, (_, i) => ({ input: `${text}${i}`, source: text, rev: text }));
  const sources = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      repo: parseRepoName(`repo${i}`),
      commit: sampleCommit,
      inputs,
    }));
  const many = Array.from({ length: 6000 }, (_, i) => hostRef(`host${i}`));
  const told = (count: number) => store(inEvents(accepted({ hosts: many, sources: sources(count) }))).sources;
  expect(told(60).map((source) => source.inputs)).toEqual(Array(60).fill(undefined));
  expect(told(2).map((source) => source.inputs?.length)).toEqual([64, 64]);
});

test("who would take the first part for all of it refuses to read it", () => {
  const versionOf = (body: EventBody): unknown => {
    const bytes = encodeEvent(
      composeEvent({ build: sampleBuild, epoch: 1, index: 0, at: scriptStart }, body),
    );
    return (JSON.parse(new TextDecoder().decode(bytes)) as { v: unknown }).v;
  };
  expect(versionOf(accepted({}))).toBe(1);
  expect(versionOf(accepted({ part: { number: 1, of: 2 } }))).toBe(2);
});

test("an event that nobody could read again is not written", () => {
  const envelope = { build: sampleBuild, epoch: 1, index: 0, at: scriptStart };
  const write = (body: EventBody): Uint8Array => encodeEvent(composeEvent(envelope, body));
  expect(() => write({ type: "warning", message: "x".repeat(20_000) })).toThrow(TypeError);
  expect(() =>
    write({ type: "building", hosts: Array.from({ length: 20_000 }, () => hostRef("web")) }),
  ).toThrow(TypeError);
});
