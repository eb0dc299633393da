import fc from "fast-check";
import { expect, test } from "vitest";
import { scriptBuild, storePath } from "../../test/support/build-events.ts";
import { applyEvent, foldEvents, isOver, openHosts, unknownBuild, wasDenied } from "./build-state.ts";
import type { BuildEvent, EventBody } from "./events.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { parseBuildId, parseBuilderName, parseCommit, parseHostName, parseRepoName } from "./names.ts";
import { decideBuildVerdict, hostVerdicts, isOwnFault, isSuccess, type HostVerdict } from "./verdicts.ts";

const id = parseBuildId("01JD0000000000000000000000");
const repo = parseRepoName("nixos");
const ref = (host: string) => ({ repo, host: parseHostName(host) });
const eventOf = (body: EventBody, index: number, epoch = 1): BuildEvent => ({
  build: id,
  epoch,
  index,
  at: "2026-11-23T14:00:00Z",
  ...body,
});

const accepted: EventBody = {
  type: "accepted",
  builder: parseBuilderName("cache01"),
  priority: "batch",
  trigger: "ci",
  sources: [{ repo, commit: parseCommit("a".repeat(40)) }],
  hosts: [ref("a"), ref("b")],
  skipped: [],
};
const finish = (host: string, verdict: HostVerdict): EventBody => ({
  type: "hosts-finished",
  hosts: [{ ...ref(host), verdict, durationMs: 1 }],
});

test("an event that was seen changes nothing, and a missing one is noticed", () => {
  const events = [accepted, finish("a", "built")].map((body, index) => eventOf(body, index));
  const state = foldEvents(id, events);
  expect(foldEvents(id, [...events, ...events])).toEqual(state);
  expect(() => applyEvent(state, eventOf(finish("b", "built"), 3))).toThrow(RangeError);
});

test("a verdict that was published never changes", () => {
  const events = [accepted, finish("a", "build-failed"), finish("a", "built")].map((body, index) =>
    eventOf(body, index),
  );
  expect(foldEvents(id, events).hosts.get("nixos/a")?.finished?.verdict).toBe("build-failed");
});

test("hosts without a verdict are open", () => {
  const state = foldEvents(id, [eventOf(accepted, 0), eventOf(finish("a", "built"), 1)]);
  expect(openHosts(state).map(({ host }) => host)).toEqual(["b"]);
  expect(isOver(state)).toBe(false);
  expect(isOver(unknownBuild(id))).toBe(false);
});

test("another builder that continues has the next epoch", () => {
  const resumed = eventOf({ type: "resumed", builder: parseBuilderName("other") }, 1, 2);
  const state = foldEvents(id, [eventOf(accepted, 0), resumed]);
  expect([state.builder, state.epoch, state.status]).toEqual(["other", 2, "running"]);
});

test("a failure that is said again is one failure, of all the hosts that it was said of", () => {
  const drvPath = storePath("openssl-3.0.drv");
  const { state } = scriptBuild(id)
    .accepted(["a", "b", "c"])
    .derivationFailed("openssl-3.0", ["a", "b"])
    .derivationFailed("curl-8.0", ["c"])
    .derivationFailed("openssl-3.0", ["b", "c"]);
  const hostsOf = state.failures.map((failure) => [
    failure.drvPath === drvPath,
    failure.hosts.map(({ host }) => host),
  ]);
  expect(hostsOf).toEqual([
    [true, ["a", "b", "c"]],
    [false, ["c"]],
  ]);
});

test.each<[readonly (HostVerdict | undefined)[], string]>([
  [["built", "unchanged"], "succeeded"],
  [["built", "skipped"], "infra-failed"],
  [["built", "build-failed"], "failed"],
  [["infra-failed", "eval-failed"], "failed"],
  [["built", "timed-out"], "failed"],
  [["built", "infra-failed"], "infra-failed"],
  [["built", "cancelled"], "cancelled"],
  [["infra-failed", "cancelled"], "cancelled"],
  [["built", undefined], "infra-failed"],
  [["skipped"], "infra-failed"],
  [[], "infra-failed"],
])("%j together are %s", (verdicts, expected) => {
  expect(decideBuildVerdict(verdicts)).toBe(expected);
});

test("success means that every host is there, and nothing less", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(undefined, ...hostVerdicts), { maxLength: 8 }), (verdicts) => {
      const verdict = decideBuildVerdict(verdicts);
      const isGreen =
        verdicts.some((each) => each !== undefined && isSuccess(each)) &&
        verdicts.every((each) => each !== undefined && isSuccess(each));
      expect(verdict === "succeeded").toBe(isGreen);
      expect(verdict === "failed").toBe(verdicts.some((each) => each !== undefined && isOwnFault(each)));
    }),
  );
});

test("a build that a remote keeps from going on is told from one that may work later", () => {
  const state = (...hosts: readonly (readonly [HostVerdict, string?])[]) =>
    foldEvents(id, [
      eventOf(accepted, 0),
      eventOf(
        {
          type: "hosts-finished",
          hosts: hosts.map(([verdict, code], index) => ({
            ...ref(index === 0 ? "a" : "b"),
            verdict,
            code,
            durationMs: 1,
          })),
        },
        1,
      ),
      eventOf({ type: "finished", verdict: "infra-failed", durationMs: 1 }, 2),
    ]);
  expect(wasDenied(state(["infra-failed", "INPUT_DENIED"], ["built"]))).toBe(true);
  expect(wasDenied(state(["infra-failed", "INPUT_DENIED"], ["infra-failed"]))).toBe(false);
  expect(wasDenied(state(["infra-failed", "INPUT_DENIED"]))).toBe(false);
  expect(wasDenied(state(["built"], ["built"]))).toBe(false);
  const rejected = eventOf({ type: "rejected", code: "GIT_DENIED", message: "x" }, 0);
  expect(wasDenied(foldEvents(id, [rejected]))).toBe(true);
  expect(exitCodeOf("rejected", true)).toBe(4);
  expect(exitCodeOf("infra-failed", true)).toBe(4);
});

test("exit codes", () => {
  expect(
    (["succeeded", "failed", "rejected", "infra-failed", "expired", "cancelled"] as const).map((outcome) =>
      exitCodeOf(outcome),
    ),
  ).toEqual([0, 1, 2, 3, 3, 130]);
});
