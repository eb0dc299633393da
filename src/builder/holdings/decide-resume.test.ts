import { expect, test } from "vitest";
import { applyEvent, foldEvents } from "../../protocol/build-state.ts";
import type { BuilderStatus } from "../../protocol/builder-status.ts";
import type { BuildEvent } from "../../protocol/events.ts";
import {
  type BuildId,
  parseBuildId,
  parseBuilderName,
  parseHostName,
  parseRepoName,
} from "../../protocol/names.ts";
import { aBuildId, anEvent, aStatus, warning } from "../../../test/support/builds.ts";
import { endingOf } from "../record/end-build.ts";
import { decideGivingUp, isAbandoned, shouldResume } from "./decide-resume.ts";

const id = parseBuildId("01JD0000000000000000000000");
const [me, other] = [parseBuilderName("me"), parseBuilderName("other")];
const repo = parseRepoName("nixos");
const accepted = (builder: typeof me): BuildEvent => ({
  build: id,
  epoch: 1,
  index: 0,
  at: "2026-11-23T14:00:00Z",
  type: "accepted",
  builder,
  priority: "batch",
  trigger: "ci",
  sources: [],
  hosts: [{ repo, host: parseHostName("a") }],
  skipped: [],
});
const envelope = (index: number) => ({ build: id, epoch: 1, index, at: "2026-11-23T14:00:00Z" });
const seen = (name: typeof me, at: string): BuilderStatus => ({
  name,
  version: "0",
  nixVersion: "2",
  systems: [],
  repos: [],
  at,
  startedAt: at,
  evaluationSlots: 1,
  builds: [],
});

test("a builder resumes its own builds, and those of builders that are gone", () => {
  const now = new Date("2026-11-23T15:00:00Z");
  const held = (builder: typeof me) => foldEvents(id, [accepted(builder)]);
  expect(shouldResume(held(me), me, [], now)).toBe(true);
  expect(shouldResume(held(other), me, [], now)).toBe(true);
  expect(shouldResume(held(other), me, [seen(other, "2026-11-23T14:59:30Z")], now)).toBe(false);
  expect(shouldResume(held(other), me, [seen(other, "2026-11-23T14:58:00Z")], now)).toBe(true);
});

test("a build that was resumed three times without a word is given up, and no other", () => {
  const resumed = (index: number): BuildEvent => ({
    ...envelope(index),
    type: "resumed",
    builder: me,
  });
  const word: BuildEvent = { ...envelope(2), type: "warning", message: "w" };
  const decide = (...events: BuildEvent[]) => decideGivingUp(events, foldEvents(id, events))?.code;
  expect(decide(accepted(me))).toBeUndefined();
  expect(decide(accepted(me), resumed(1), resumed(2))).toBeUndefined();
  expect(decide(accepted(me), resumed(1), word, resumed(3), resumed(4))).toBeUndefined();
  expect(decide(accepted(me), resumed(1), resumed(2), resumed(3))).toBe("GIVEN_UP");
});

test("a build whose hosts were not all named does not continue: nobody knows the others", () => {
  const events: BuildEvent[] = [{ ...accepted(me), part: { number: 1, of: 2 } } as BuildEvent];
  const state = foldEvents(id, events);
  const ending = decideGivingUp(events, state);
  expect(ending?.verdict).toBe("infra-failed");
  const allBuilt: BuildEvent = {
    ...envelope(1),
    type: "hosts-finished",
    hosts: [{ repo, host: parseHostName("a"), verdict: "built", durationMs: 1 }],
  };
  const last = endingOf(applyEvent(state, allBuilt), { verdict: "infra-failed", reason: "r" }, new Date());
  expect(last).toMatchObject({ hosts: [], finished: { verdict: "infra-failed" } });
});

const lastWord = { ...anEvent(aBuildId(), 7, warning("the last word")), at: "2026-01-01T00:10:00.000Z" };
const holder = (at: string, builds: readonly BuildId[]) => ({ ...aStatus("b1", at), builds: [...builds] });

test.each([
  ["nobody says that he holds it", "2026-01-01T00:12:00Z", [], true],
  [
    "a builder that is there holds it",
    "2026-01-01T00:12:00Z",
    [holder("2026-01-01T00:11:50Z", [lastWord.build])],
    false,
  ],
  [
    "a builder that is gone held it",
    "2026-01-01T00:12:00Z",
    [holder("2026-01-01T00:10:00Z", [lastWord.build])],
    true,
  ],
  [
    "a builder that is there holds others",
    "2026-01-01T00:12:00Z",
    [holder("2026-01-01T00:11:50Z", [])],
    true,
  ],
  ["its last word is young", "2026-01-01T00:11:00Z", [], false],
] as const)("a build without its first events is abandoned or not: %s", (_, now, builders, expected) => {
  expect(isAbandoned(lastWord, builders, new Date(now))).toBe(expected);
});
