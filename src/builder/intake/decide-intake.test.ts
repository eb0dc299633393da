import { expect, test } from "vitest";
import { decideIntake } from "./decide-intake.ts";

const MiB = 1024 * 1024;
const now = new Date("2026-11-28T12:00:00Z");
const minutesAgo = (minutes: number): Date => new Date(now.getTime() - minutes * 60_000);
const none = { builds: 0, openHosts: 0, starts: [] };
const one = (minutes: number) => ({ builds: 1, openHosts: 16, starts: [minutesAgo(minutes)] });
const full = {
  bytes: 95 * MiB,
  maxBytes: 100 * MiB,
  firstSequence: 1,
  oldestAt: minutesAgo(61),
  newestAt: minutesAgo(1),
};
const young = { ...full, oldestAt: minutesAgo(5) };
const empty = { ...full, bytes: 0, oldestAt: new Date("0001-01-01T00:00:00Z") };

test.each([
  ["with room", none, { ...young, bytes: 89 * MiB }, "take"],
  ["full of young events", none, young, "wait"],
  ["full, and the oldest event was kept for an hour", none, full, "take"],
  ["full, and the build that runs is younger than the oldest event that is kept", one(30), full, "take"],
  ["full, and the oldest event is of the build that runs", one(61), full, "wait"],
  ["full, and the first events of the build that runs are gone anyhow", one(200), full, "take"],
  ["without a limit", none, { ...young, maxBytes: -1 }, "take"],
  ["empty", none, empty, "take"],
  ["full, and as many builds run as there is room for", { ...one(1), builds: 30 }, full, "wait"],
  ["full, and as many hosts are built as there is room for", { ...one(1), openHosts: 640 }, full, "wait"],
  ["empty, with builds that would not fill it", { ...one(1), builds: 30 }, empty, "take"],
  ["the smallest stream, empty, and one build", one(1), { ...empty, maxBytes: 16 * MiB }, "take"],
  ["the smallest stream, full, and no build, whatever is asked for", none, { ...full, maxBytes: 1 }, "take"],
  [
    "our clock is far behind the server's",
    none,
    { ...full, oldestAt: minutesAgo(-60), newestAt: minutesAgo(-180) },
    "take",
  ],
] as const)("%s", (_, running, space, expected) => {
  expect(decideIntake({ priority: "interactive", ...running, space, now })).toBe(expected);
});

test.each([
  ["that would take the last room for events", one(1), { ...young, bytes: 85 * MiB }],
  [
    "that would take the room of the next builds",
    { ...one(1), builds: 33 },
    { ...empty, maxBytes: 16 * MiB },
  ],
])("a batch request %s waits, and one that somebody waits for does not", (_, running, space) => {
  expect(decideIntake({ priority: "batch", ...running, space, now })).toBe("wait");
  expect(decideIntake({ priority: "interactive", ...running, space, now })).toBe("take");
});
