import { expect, test } from "vitest";
import { newBuildId } from "../../protocol/ulid.ts";
import { decideId } from "./decide-id.ts";

const storedAt = new Date("2026-06-01T12:00:00Z");
const hour = 3_600_000;

test.each([
  ["made with the request", 0, "timely"],
  ["by a clock that is ahead", hour / 2, "timely"],
  ["of next week", 7 * 24 * hour, "future"],
  ["of a request that waited for a week", -7 * 24 * hour, "timely"],
  ["of a build that nobody remembers", -31 * 24 * hour, "past"],
])("an id %s", (_, offset, verdict) => {
  expect(decideId(newBuildId(new Date(storedAt.getTime() + offset)), storedAt)).toBe(verdict);
});

test("the last id that there can be is of the future", () => {
  expect(decideId("7ZZZZZZZZZZZZZZZZZZZZZZZZZ" as never, storedAt)).toBe("future");
});
