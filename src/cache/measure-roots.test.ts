import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import type { RootedCommit } from "../nix/gc-roots.ts";
import { parseCommit, parseHostName, parseRepoName, StorePath } from "../protocol/names.ts";
import { measureRoots, type Closures } from "./measure-roots.ts";

const repo = parseRepoName("nixos-servers");
const path = (name: string): StorePath => v.parse(StorePath, `/nix/store/${"0".repeat(32)}-${name}`);
/** A system consists of itself and the parts that its name lists: `a.b` of a and b. */
const closuresOf = (systems: readonly string[], sizes: Readonly<Record<string, number>>): Closures => ({
  bySystem: new Map(
    systems.map((system) => [path(system), [path(system), ...system.split(".").map(path)]] as const),
  ),
  sizes: new Map(Object.entries(sizes).map(([name, size]) => [path(name), size] as const)),
});
const rooted = (
  index: number,
  hosts: Readonly<Record<string, string>>,
  more: Partial<RootedCommit> = {},
): RootedCommit => ({
  repo,
  commit: parseCommit(index.toString(16).padStart(40, "0")),
  usedAt: new Date(Date.UTC(2026, 0, 1 + index)),
  wasHead: true,
  hosts: new Map(Object.entries(hosts).map(([host, system]) => [parseHostName(host), path(system)])),
  ...more,
});

test("counts what systems share once, and tells what is only one host's", () => {
  const size = measureRoots(
    [rooted(0, { web: "base.nginx", db: "base.postgres", twin: "base.postgres" })],
    closuresOf(["base.nginx", "base.postgres"], { base: 100, nginx: 10, postgres: 20 }),
  );
  expect(size).toMatchObject({ unionBytes: 130, newestBytes: 130, usualGrowthBytes: undefined });
  expect(size.hosts.map(({ name, bytes, uniqueBytes }) => [name, bytes, uniqueBytes])).toEqual([
    ["nixos-servers/web", 110, 10],
    ["nixos-servers/db", 120, 0],
    ["nixos-servers/twin", 120, 0],
  ]);
});

test("says what each commit adds, and how much that is a day", () => {
  const size = measureRoots(
    [rooted(4, { web: "base.c" }), rooted(0, { web: "base.a" }), rooted(2, { web: "base.b" })],
    closuresOf(["base.a", "base.b", "base.c"], { base: 100, a: 1, b: 30, c: 10 }),
  );
  expect(size.commits.map(({ newBytes }) => newBytes)).toEqual([10, 30, 101]);
  expect(size).toMatchObject({
    unionBytes: 141,
    newestBytes: 110,
    growthBytesPerDay: 10,
    usualGrowthBytes: 30,
  });
});

test("takes a host's newest system from the branch, and leaves out what is not built", () => {
  const trial = rooted(3, { web: "base.trial" }, { wasHead: false });
  const size = measureRoots(
    [rooted(0, { web: "base.a", db: "base.unbuilt" }), trial],
    closuresOf(["base.a", "base.trial"], { base: 100, a: 1, trial: 50 }),
  );
  expect(size.hosts).toEqual([{ name: "nixos-servers/web", bytes: 101, uniqueBytes: 101 }]);
  expect(size.unionBytes).toBe(151);
});

test("the commits' additions are the union, and no order of them changes anything", () => {
  const systems = ["a", "b", "a.b", "a.c", "b.c.d"];
  const closures = closuresOf(systems, { a: 1, b: 2, c: 4, d: 8, "a.b": 16, "a.c": 32, "b.c.d": 64 });
  const anyCommits = fc
    .array(fc.dictionary(fc.constantFrom("web", "db", "ns1"), fc.constantFrom(...systems)), { maxLength: 6 })
    .map((hosts) => hosts.map((each, index) => rooted(index, each)));
  fc.assert(
    fc.property(anyCommits, (commits) => {
      const size = measureRoots(commits, closures);
      expect(size.commits.reduce((sum, { newBytes }) => sum + newBytes, 0)).toBe(size.unionBytes);
      expect(size.newestBytes).toBeLessThanOrEqual(size.unionBytes);
      for (const { bytes, uniqueBytes } of size.hosts) expect(uniqueBytes).toBeLessThanOrEqual(bytes);
      expect(measureRoots(commits.toReversed(), closures).unionBytes).toBe(size.unionBytes);
    }),
  );
});
