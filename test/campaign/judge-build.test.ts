import { expect, test } from "vitest";
import type { BuildEvent, EventBody } from "../../src/protocol/events.ts";
import { parseBuilderName, parseHostName, parseRepoName } from "../../src/protocol/names.ts";
import type { HostVerdict } from "../../src/protocol/verdicts.ts";
import { aBuildId, accepted, anEvent } from "../support/builds.ts";
import { judgeBuild, type Expectation } from "./judge-build.ts";

const id = aBuildId();
const repo = parseRepoName("servers");
const hostIs = (verdict: HostVerdict): EventBody => ({
  type: "hosts-finished",
  hosts: [
    {
      repo,
      host: parseHostName("web1"),
      verdict,
      durationMs: 1,
    },
  ],
});
const ends = (verdict: "succeeded" | "failed" | "cancelled" | "infra-failed"): EventBody => ({
  type: "finished",
  verdict,
  durationMs: 1,
});
const logOf = (...bodies: readonly EventBody[]): readonly BuildEvent[] =>
  bodies.map((body, index) => anEvent(id, index, body));
const expectation: Expectation = { id, wasCancelled: false, published: [], verdictOf: () => "built" };
const good = logOf(accepted, hostIs("built"), ends("succeeded"));

test("a build that went well has no fault", () => {
  expect(judgeBuild(expectation, good)).toEqual([]);
  expect(judgeBuild({ ...expectation, published: good.slice(0, 2) }, good)).toEqual([]);
  const cancelled = logOf(accepted, hostIs("cancelled"), ends("cancelled"));
  expect(judgeBuild({ ...expectation, wasCancelled: true }, cancelled)).toEqual([]);
  const beforeItBegan = logOf(ends("cancelled"));
  expect(judgeBuild({ ...expectation, wasCancelled: true }, beforeItBegan)).toEqual([]);
});

test("a build is given up rightly only after three vain resumptions", () => {
  const resumed: EventBody = { type: "resumed", builder: parseBuilderName("b1") };
  const givenUp: EventBody = { type: "finished", verdict: "infra-failed", durationMs: 1, code: "GIVEN_UP" };
  const rightly = logOf(accepted, resumed, resumed, resumed, hostIs("infra-failed"), givenUp);
  expect(judgeBuild(expectation, rightly)).toEqual([]);
  const early = logOf(accepted, resumed, resumed, hostIs("infra-failed"), givenUp);
  expect(judgeBuild(expectation, early)).toMatchObject([{ kind: "wrong" }]);
});

test.each([
  ["lost", [], {}],
  ["endless", logOf(accepted, hostIs("built")), {}],
  ["duplicated", logOf(accepted, hostIs("built"), ends("succeeded"), ends("succeeded")), {}],
  ["duplicated", logOf(accepted, accepted, hostIs("built"), ends("succeeded")), {}],
  ["duplicated", logOf(accepted, hostIs("built"), hostIs("built"), ends("succeeded")), {}],
  ["wrong", logOf(accepted, hostIs("build-failed"), ends("failed")), {}],
  ["wrong", logOf(accepted, hostIs("infra-failed"), ends("infra-failed")), {}],
  ["wrong", logOf(accepted, hostIs("cancelled"), ends("cancelled")), {}],
  ["wrong", logOf(accepted, hostIs("built"), ends("failed")), {}],
  ["wrong", logOf(accepted, ends("succeeded")), {}],
  ["wrong", logOf(ends("cancelled")), {}],
  ["wrong", good, { published: logOf(accepted, hostIs("build-failed")) }],
  ["wrong", [...good.slice(0, 2), anEvent(id, 3, ends("succeeded"))], {}],
] as const)("%s: found in %#", (kind, events, change) => {
  const faults = tryJudge({ ...expectation, ...change }, events);
  expect(faults).toContain(kind);
});

/** A log with a gap cannot be folded: that too is found, and not thrown. */
const tryJudge = (expected: Expectation, events: readonly BuildEvent[]): readonly string[] =>
  judgeBuild(expected, events).map((fault) => fault.kind);
