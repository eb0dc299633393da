import { expect, test } from "vitest";
import { decideDisk } from "./decide-disk.ts";
import type { RootsSize } from "./measure-roots.ts";

const gib = 2 ** 30;
const size = (more: Partial<RootsSize> = {}): RootsSize => ({
  unionBytes: 30 * gib,
  newestBytes: 20 * gib,
  hosts: [],
  commits: [],
  usualGrowthBytes: 10 * gib,
  growthBytesPerDay: 2 * gib,
  ...more,
});
const disk = (total: number, available = total / 2) => ({
  totalBytes: total * gib,
  availableBytes: available * gib,
});

test("reckons with as many commits as are kept, and a fifth left free", () => {
  // 20 + 3 × 10 GiB, in four fifths of 62.5 GiB.
  expect(decideDisk(size(), 4, disk(63))).toMatchObject({ verdict: "enough", expectedBytes: 50 * gib });
  expect(decideDisk(size(), 4, disk(62))).toMatchObject({ verdict: "too-small" });
});

test("never expects less than is there already", () => {
  expect(decideDisk(size(), 1, disk(100)).expectedBytes).toBe(30 * gib);
});

test("knows nothing of growth from one commit", () => {
  const one = size({ usualGrowthBytes: undefined, growthBytesPerDay: undefined });
  expect(decideDisk(one, 4, disk(100))).toEqual({ verdict: "unknown" });
});

test("says when it is full if nothing were dropped, and nothing of a store that does not grow", () => {
  expect(decideDisk(size(), 4, disk(100, 11)).daysUntilFull).toBe(5);
  expect(decideDisk(size({ growthBytesPerDay: 0 }), 4, disk(100))).not.toHaveProperty("daysUntilFull");
});
