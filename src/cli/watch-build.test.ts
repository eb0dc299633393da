import { expect, test } from "vitest";
import type { BuilderStatus } from "../protocol/builder-status.ts";
import { parseBuilderName } from "../protocol/names.ts";
import { describeSilence } from "./watch-build.ts";

const now = new Date("2026-11-23T15:00:00Z");
const seen = (name: string, at: string): BuilderStatus => ({
  name: parseBuilderName(name),
  version: "0",
  nixVersion: "2",
  systems: [],
  repos: [],
  at,
  startedAt: at,
  evaluationSlots: 1,
  builds: [],
});

test("a request that nobody takes is explained by who is there", () => {
  expect(describeSilence([], now)).toContain("no builder was ever seen");
  expect(
    describeSilence([seen("old", "2026-11-23T12:00:00Z"), seen("cache01", "2026-11-23T13:00:00Z")], now),
  ).toContain("no builder was seen for 2h00m (cache01 was the last)");
  expect(describeSilence([seen("cache01", "2026-11-23T14:59:50Z")], now)).toContain(
    "cache01 has not taken it yet",
  );
});
