import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import type { RootedCommit } from "../nix/gc-roots.ts";
import { parseCommit, parseHostName, parseRepoName, StorePath, type Commit } from "../protocol/names.ts";
import { decideRetention, isDroppedWhole, type RetentionPolicy } from "./decide-retention.ts";

const repo = parseRepoName("nixos-servers");
const commitOf = (index: number): Commit => parseCommit(index.toString(16).padStart(40, "0"));
const outPath = v.parse(StorePath, `/nix/store/${"0".repeat(32)}-system`);
const start = Date.parse("2026-01-01");
const day = 24 * 3_600_000;

interface Shape {
  readonly age?: number;
  readonly hosts?: readonly string[];
  readonly wasHead?: boolean;
  readonly pin?: string;
}
/** Commit 0 is the newest; `age` is in days. */
const commits = (shapes: readonly Shape[]): RootedCommit[] =>
  shapes.map(({ age, hosts = ["web", "db"], wasHead = true, pin }, index) => ({
    repo,
    commit: commitOf(index),
    usedAt: new Date(start - (age ?? index) * day),
    wasHead,
    pin,
    hosts: new Map(hosts.map((host) => [parseHostName(host), outPath])),
  }));
const policy = (more: Partial<RetentionPolicy> = {}): RetentionPolicy => ({
  keepNewest: 2,
  openUpdates: new Set(),
  deployed: new Set(),
  now: new Date(start),
  ...more,
});
const whole = (shapes: readonly Shape[], more?: Partial<RetentionPolicy>): Commit[] =>
  decideRetention(commits(shapes), policy(more))
    .filter(isDroppedWhole)
    .map(({ rooted }) => rooted.commit);

test("keeps the newest commits, whatever order they are listed in", () => {
  expect(whole([{ age: 3 }, { age: 0 }, { age: 2 }, { age: 1 }])).toEqual([commitOf(2), commitOf(0)]);
});

test("keeps of each host the newest that it has, also where newer commits were built without it", () => {
  const [, , third, fourth] = decideRetention(
    commits([{ hosts: ["web"] }, { hosts: ["web"] }, {}, {}]),
    policy(),
  );
  expect([...(third?.kept.keys() ?? [])]).toEqual(["db"]);
  expect(third?.dropped).toEqual(["web"]);
  expect([...(fourth?.kept.keys() ?? [])]).toEqual(["db"]);
});

test("drops a host that no newer commit has, once a month has gone by", () => {
  const web = { hosts: ["web"] };
  expect(whole([web, web, { age: 29, hosts: ["gone"] }])).toEqual([]);
  expect(whole([web, web, { age: 31, hosts: ["gone"] }])).toEqual([commitOf(2)]);
});

test("counts trials and other branches apart from what was the branch's tip", () => {
  const trial = { wasHead: false };
  expect(whole([trial, trial, trial, {}, {}, {}])).toEqual([commitOf(2), commitOf(5)]);
});

test("keeps pinned commits and the candidates of open updates, however old", () => {
  const shapes: Shape[] = [{}, {}, { age: 400, pin: "before the move" }, { age: 300, wasHead: false }];
  expect(whole([...shapes, {}], { openUpdates: new Set([commitOf(3)]) })).toEqual([commitOf(4)]);
});

const anyShape = fc.record(
  {
    age: fc.nat(100),
    hosts: fc.subarray(["web", "db", "ns1", "mail"]),
    wasHead: fc.boolean(),
    pin: fc.constant("kept"),
  },
  { requiredKeys: ["age", "hosts", "wasHead"] },
);

test("every host of every commit is either kept or dropped, and some commit of a host that was asked for lately stays", () => {
  fc.assert(
    fc.property(fc.array(anyShape), fc.integer({ min: 1, max: 5 }), (shapes, keepNewest) => {
      const listed = commits(shapes);
      const decided = decideRetention(listed, policy({ keepNewest }));
      expect(decided.map(({ rooted }) => rooted).toSorted((a, b) => (a.commit < b.commit ? -1 : 1))).toEqual(
        listed,
      );
      for (const { rooted, kept, dropped } of decided) {
        expect(new Set([...kept.keys(), ...dropped])).toEqual(new Set(rooted.hosts.keys()));
        expect(kept.size + dropped.length).toBe(rooted.hosts.size);
      }
      const recent = listed.filter(({ usedAt }) => start - usedAt.getTime() < 30 * day);
      for (const host of new Set(recent.flatMap(({ hosts }) => [...hosts.keys()]))) {
        expect(decided.some(({ kept }) => kept.has(host))).toBe(true);
      }
    }),
  );
});

test("what is dropped never is newer than what is kept as newest of the same host and line", () => {
  fc.assert(
    fc.property(fc.array(anyShape), (shapes) => {
      const decided = decideRetention(commits(shapes), policy());
      for (const { rooted, dropped } of decided) {
        for (const host of dropped) {
          const older = decided.filter(
            (other) =>
              other.rooted.usedAt < rooted.usedAt &&
              other.rooted.wasHead === rooted.wasHead &&
              other.kept.get(host) === "newest",
          );
          expect(older).toEqual([]);
        }
      }
    }),
  );
});

const pathOf = (digit: string): StorePath => v.parse(StorePath, `/nix/store/${digit.repeat(32)}-system`);
const withPaths = (digits: readonly string[], wasHead = true): RootedCommit[] =>
  digits.map((digit, index) => ({
    repo,
    commit: commitOf(index),
    usedAt: new Date(start - (100 + index) * day),
    wasHead,
    hosts: new Map([[parseHostName("web"), pathOf(digit)]]),
  }));

test("keeps what a host runs, however old it is", () => {
  const plan = decideRetention(withPaths(["a", "b", "c", "d"]), policy({ deployed: new Set([pathOf("d")]) }));
  expect(plan.map(({ kept }) => [...kept.values()])).toEqual([["newest"], ["newest"], [], ["deployed"]]);
});

test("while it is unknown what hosts run, only what no host can run goes", () => {
  const unknown = policy({ deployed: "unknown", keepNewest: 1 });
  const heads = decideRetention(withPaths(["a", "b", "c"]), unknown);
  expect(heads.map(({ kept }) => [...kept.values()])).toEqual([
    ["newest"],
    ["maybe-deployed"],
    ["maybe-deployed"],
  ]);
  const trials = decideRetention(withPaths(["a", "b", "c"], false), unknown);
  expect(trials.map(({ dropped }) => dropped.length)).toEqual([0, 1, 1]);
});

test("what is deployed never goes, and knowing less never drops more", () => {
  const digit = fc.constantFrom(..."0123456789abcdf".split(""));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(digit, fc.boolean()), { maxLength: 12 }),
      fc.array(digit, { maxLength: 4 }),
      fc.nat({ max: 3 }),
      (roots, deployed, keepNewest) => {
        const all = roots.map(([name, wasHead], index) => ({
          repo,
          commit: commitOf(index),
          usedAt: new Date(start - index * day),
          wasHead,
          hosts: new Map([[parseHostName("web"), pathOf(name)]]),
        }));
        const paths = new Set(deployed.map(pathOf));
        const droppedPaths = (known: RetentionPolicy["deployed"]): string[] =>
          decideRetention(all, policy({ keepNewest, deployed: known })).flatMap(({ rooted, dropped }) =>
            dropped.length === 0 ? [] : [`${rooted.commit} ${[...rooted.hosts.values()][0]}`],
          );
        const going = droppedPaths(paths);
        expect(going.filter((each) => paths.has(v.parse(StorePath, each.split(" ")[1])))).toEqual([]);
        const heads = all.filter(({ wasHead }) => wasHead).map(({ commit }) => commit);
        const unknown = droppedPaths("unknown");
        expect(unknown.filter((each) => heads.some((commit) => each.startsWith(commit)))).toEqual([]);
      },
    ),
  );
});
