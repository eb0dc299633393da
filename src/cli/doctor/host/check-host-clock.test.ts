import { expect, test } from "vitest";
import { createFakeClock } from "../../../../test/support/fake-clock.ts";
import { HomelabError } from "../../../base/errors.ts";
import type { ClockFloor } from "../../../deploy/clock-floor.ts";
import type { Exec } from "../../../process/exec.ts";
import { mergeFindings } from "../finding.ts";
import { checkHostClock } from "./check-host-clock.ts";

const never = new AbortController().signal;
const now = "2026-11-23T14:00:00.000Z";

const saying =
  (stdout: string, exitCode = 0): Exec =>
  async () => ({ exitCode, killedBy: undefined, timedOut: false, stdout, stderrTail: "" });
const missing: Exec = async () => {
  throw new HomelabError("unavailable", "it cannot be started", { code: "PROGRAM_MISSING" });
};

async function stateOf(floor: ClockFloor, exec: Exec, theirs?: string): Promise<readonly string[]> {
  const clock = createFakeClock(now);
  const answer = async () => new Response("", { headers: theirs === undefined ? {} : { date: theirs } });
  const sources = theirs === undefined ? [] : ["http://cache.lan"];
  const parts = { clock, exec, environment: {}, fetch: answer };
  const found = mergeFindings(await checkHostClock(floor, sources, parts, never));
  return found.map(({ check, state }) => `${state} ${check}`);
}

test("a clock that is right and stays so is in order", async () => {
  expect(
    await stateOf({ clockFloor: now, builtAfter: now }, saying("yes\n"), new Date(now).toUTCString()),
  ).toEqual(["ok clock floor", "ok clock", "ok clock synchronisation"]);
});

test.each<readonly [string, ClockFloor]>([
  ["an order that it obeyed", { clockFloor: "2026-11-23T14:06:00.000Z" }],
  ["what its system was built from", { builtAfter: "2026-11-23T14:06:00.000Z" }],
])("a clock below %s is one finding, however else it shows", async (_, floor) => {
  const found = await stateOf(floor, saying("no\n"), "Mon, 23 Nov 2026 15:00:00 GMT");
  expect(found).toEqual(["wrong clock floor"]);
});

test("one that nobody sets is a warning, and of one that nobody knows nothing is said", async () => {
  expect(await stateOf({}, saying("no\n"))).toEqual(["warning clock synchronisation"]);
  expect(await stateOf({}, missing)).toEqual(["unknown clock synchronisation"]);
  expect(await stateOf({}, saying("", 1))).toEqual(["unknown clock synchronisation"]);
});
