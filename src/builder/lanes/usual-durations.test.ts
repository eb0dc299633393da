import fc from "fast-check";
import { expect, test } from "vitest";
import {
  historyBounds,
  nameWithoutVersion,
  recordDuration,
  usualDuration,
  type DurationHistory,
} from "./usual-durations.ts";

test.each([
  ["linux-6.18.4", "linux"],
  ["linux-6.18.5", "linux"],
  ["linux-6.18.4-modules", "linux-modules"],
  ["linux-6.18.4.tar.xz", "linux.tar.xz"],
  ["gitea-1.26.1", "gitea"],
  ["python3.13-requests-2.32.3", "python3.13-requests"],
  ["nixos-system-web01-26.05.20261101.9c41e7f", "nixos-system-web01"],
  ["foo-0-unstable-2025-10-01", "foo-unstable"],
  ["unit-nginx.service", "unit-nginx.service"],
  ["7zip", "7zip"],
  ["", ""],
])("%s is %s without its version", (derivation, name) => {
  expect(nameWithoutVersion(derivation)).toBe(name);
});

const historyOf = (...durations: number[]): DurationHistory => {
  const history: DurationHistory = new Map();
  for (const duration of durations) recordDuration(history, "linux-6.18.4", duration);
  return history;
};

test("usual is the median, over versions", () => {
  expect(usualDuration(historyOf(), "linux-6.18.4")).toBeUndefined();
  expect(usualDuration(historyOf(7000), "linux-6.18.5")).toBe(7000);
  expect(usualDuration(historyOf(1000, 99_000, 3000), "linux-6.18.5")).toBe(3000);
  expect(usualDuration(historyOf(1000, 2000, 4000, 99_000), "linux-7.0")).toBe(3000);
  expect(usualDuration(historyOf(7000), "linux-6.18.5-modules")).toBeUndefined();
});

test("only the newest ten count", () => {
  const olderAndNewer = [
    ...Array.from({ length: 50 }, () => 1_000_000),
    ...Array.from({ length: 10 }, () => 5),
  ];
  expect(usualDuration(historyOf(...olderAndNewer), "linux")).toBe(5);
});

test("names are bounded, and the one that was learnt longest ago goes", () => {
  const history: DurationHistory = new Map();
  for (let i = 0; i < historyBounds.names; i++) recordDuration(history, `pkg${i}`, 1000);
  recordDuration(history, "pkg0", 1000);
  recordDuration(history, "another", 1000);
  expect(history.size).toBe(historyBounds.names);
  expect(usualDuration(history, "pkg0")).toBe(1000);
  expect(usualDuration(history, "pkg1")).toBeUndefined();
});

test("any name is handled in no time, and a version is dropped once and for all", () => {
  const part = fc.stringMatching(/^[a-z0-9.+_?=]{1,12}$/);
  fc.assert(
    fc.property(fc.array(part, { maxLength: 16 }), (parts) => {
      const name = nameWithoutVersion(parts.join("-"));
      expect(name.length).toBeLessThanOrEqual(parts.join("-").length);
      expect(nameWithoutVersion(name)).toBe(name);
    }),
  );
});
