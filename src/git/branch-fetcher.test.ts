import { expect, test } from "vitest";
import { silentLog } from "../base/log.ts";
import { parseCommit, parseRepoName, type Commit } from "../protocol/names.ts";
import type { ExecResult } from "../process/exec.ts";
import { createBranchFetcher } from "./branch-fetcher.ts";

const never = new AbortController().signal;
const nth = (number: number): Commit => parseCommit(number.toString(16).padStart(40, "0"));
const bad = nth(0xbad);
/** Below the tip of whatever branch it is said to be on. */
const deep = nth(0xdee);
const nowhere = nth(0xfff);

const result = (facts: Partial<ExecResult>): ExecResult => ({
  exitCode: 128,
  killedBy: undefined,
  timedOut: false,
  stdout: "",
  stderrTail: "",
  ...facts,
});

const refusal = `error: object ${nth(7)}: hasDotgit: contains '.git'\nfatal: fsck error in packed object\n`;

/** A remote, our copy of it, and the time that fetches take. */
function createPlace() {
  const place = {
    heads: new Map<string, Commit>(),
    refused: new Set<Commit>([bad]),
    lost: new Set<Commit>(),
    below: new Map<Commit, Commit>(),
    isAway: false,
    /** Of a fetch of so many branches. */
    takesMs: (_branches: readonly string[]): number => 100,
    here: new Set<string>(),
    fetches: [] as (readonly string[])[],
    warnings: [] as unknown[],
  };
  let nowMs = 0;

  function fetch(branches: readonly string[], timeoutMs: number): ExecResult {
    place.fetches.push(branches);
    const takesMs = place.takesMs(branches);
    nowMs += Math.min(takesMs, timeoutMs);
    if (takesMs > timeoutMs) return result({ exitCode: undefined, killedBy: "SIGTERM", timedOut: true });
    if (place.isAway) return result({ stderrTail: "fatal: Could not resolve host\n" });
    const tips = branches.flatMap((branch) => place.heads.get(branch) ?? []);
    if (tips.length < branches.length) return result({ stderrTail: "fatal: couldn't find remote ref\n" });
    if (tips.some((tip) => place.refused.has(tip))) return result({ stderrTail: refusal });
    if (tips.some((tip) => place.lost.has(tip))) return result({ stderrTail: "remote: fatal: lost\n" });
    for (const tip of tips) for (const commit of [tip, place.below.get(tip) ?? tip]) place.here.add(commit);
    return result({ exitCode: 0 });
  }

  const fetcher = createBranchFetcher({
    git: {
      async ask() {
        if (place.isAway) return result({ stderrTail: "fatal: Could not resolve host\n" });
        const lines = [...place.heads].map(([branch, tip]) => `${tip}\trefs/heads/${branch}\n`);
        return result({ exitCode: 0, stdout: lines.join("") });
      },
      write: async (args, { timeoutMs }) =>
        fetch(
          args.flatMap((arg) => /^\+refs\/heads\/(?<branch>.+):/.exec(arg)?.groups?.["branch"] ?? []),
          timeoutMs,
        ),
    },
    url: "https://example.org/fleet.git",
    credentials: {},
    repository: {
      directory: "/mirror",
      isIntact: async () => true,
      startAnew: async () => undefined,
      packs: async () => "",
      touch: async () => false,
      has: async (commit) => place.here.has(commit),
      present: async (commits) => new Set(commits.filter((commit) => place.here.has(commit))),
      branchTip: async () => undefined,
      keepBranches: async () => undefined,
      keep: async () => undefined,
      tidy: async () => undefined,
    },
    repo: parseRepoName("nixos"),
    clock: { monotonic: () => nowMs },
    log: { ...silentLog, warn: (fields) => void place.warnings.push(fields) },
  });
  return Object.assign(place, {
    elapsedMs: () => nowMs,
    /** As a mirror does it. */
    async search(commit: Commit) {
      await fetcher.heads(never);
      place.fetches.length = 0;
      return fetcher.search(commit, never);
    },
    async fetchBranch(branch: string) {
      await fetcher.heads(never);
      place.fetches.length = 0;
      return fetcher.fetchBranch(branch, never);
    },
  });
}

/** Branches `<name>-<number>`, each at a commit of its own, or all at one. */
function addBranches(place: ReturnType<typeof createPlace>, name: string, count: number, tip?: Commit): void {
  for (let index = 0; index < count; index++) place.heads.set(`${name}-${index}`, tip ?? nth(0x1000 + index));
}

test("a refused commit that 1,500 branches are at is tried once, and never again while one is at it", async () => {
  const place = createPlace();
  addBranches(place, "bad", 1500, bad);
  place.heads.set("trunk", nth(1));
  place.below.set(nth(1), deep);
  await place.search(deep);
  expect(place.here).toContain(deep);
  expect(place.fetches.length).toBeLessThanOrEqual(3);

  expect((await place.search(nowhere)).size).toBe(1500);
  expect(place.fetches).toEqual([]);
  place.heads.set("trunk", nth(2));
  place.heads.delete("bad-0");
  expect((await place.search(nowhere)).size).toBe(1499);
  expect(place.fetches).toEqual([["trunk"]]);
  await expect(place.fetchBranch("bad-9")).rejects.toMatchObject({ kind: "failed", code: "GIT_REFUSED" });
  expect(place.fetches).toEqual([]);
  // Said once.
  expect(place.warnings).toHaveLength(1);

  for (const branch of place.heads.keys()) place.heads.set(branch, nth(2));
  await place.search(nowhere);
  place.refused.delete(bad);
  place.heads.set("bad-1", bad);
  expect((await place.search(nowhere)).size).toBe(0);
  expect(place.fetches).toEqual([["bad-1"]]);
});

test("one refused branch among a thousand is found by halves", async () => {
  const place = createPlace();
  addBranches(place, "good", 1000);
  place.heads.set("good-700", bad);
  const unread = await place.search(nowhere);
  expect([...unread.keys()]).toEqual(["good-700"]);
  expect(unread.get("good-700")).toMatchObject({ code: "GIT_REFUSED" });
  expect(place.fetches.length).toBeLessThanOrEqual(21);
  expect(place.here.size).toBe(999);
});

test("what the remote has lost takes no other with it, and is tried again, last and alone", async () => {
  const place = createPlace();
  addBranches(place, "good", 8);
  place.lost.add(nth(0x1003));
  const unread = await place.search(nowhere);
  expect([...unread]).toMatchObject([["good-3", { kind: "unavailable", code: "GIT_REMOTE" }]]);
  place.heads.set("new", nth(1));
  await place.search(nowhere);
  expect(place.fetches).toEqual([["new"], ["good-3"]]);
  place.lost.clear();
  expect((await place.search(nowhere)).size).toBe(0);
});

test("a reason that may pass is given before one that lasts", async () => {
  const place = createPlace();
  place.heads.set("bad", bad);
  place.heads.set("lost", nth(1));
  place.lost.add(nth(1));
  expect([...(await place.search(nowhere))].map(([branch, { kind }]) => [branch, kind])).toEqual([
    ["lost", "unavailable"],
    ["bad", "failed"],
  ]);
});

test("the search ends with the commit, and looks first where something has moved", async () => {
  const place = createPlace();
  addBranches(place, "lost", 64);
  for (const tip of place.heads.values()) place.lost.add(tip);
  await place.search(nowhere);
  addBranches(place, "worse", 64);
  for (const index of Array.from({ length: 64 }).keys())
    place.heads.set(`worse-${index}`, nth(0x2000 + index));
  for (const tip of place.heads.values()) place.lost.add(tip);
  await place.search(nowhere);
  place.heads.set("worse-40", nth(1));
  place.below.set(nth(1), deep);
  await place.search(deep);
  expect(place.fetches).toEqual([["worse-40"]]);
});

test("what takes too long together is fetched one by one within the time, first what was asked for", async () => {
  const place = createPlace();
  addBranches(place, "large", 9);
  place.heads.set("main", nth(1));
  place.below.set(nth(1), nth(2));
  await place.fetchBranch("main");
  place.heads.set("main", nth(3));
  place.below.set(nth(3), deep);
  place.takesMs = (branches) => branches.length * 20_000;
  await place.search(deep);
  expect(place.fetches).toEqual([expect.arrayContaining(["main", "large-8"]), ["main"]]);
  expect(place.here).toContain(deep);

  // The next one knows that, and continues where this one stopped.
  const before = place.elapsedMs();
  const unread = await place.search(nowhere);
  expect(place.elapsedMs() - before).toBeLessThanOrEqual(165_000);
  expect(place.fetches.every(({ length }) => length === 1)).toBe(true);
  expect([...unread]).toMatchObject([["large-8", { kind: "unavailable", code: "GIT_REMOTE" }]]);
  expect((await place.search(nowhere)).size).toBe(0);
});

test("a remote that is away is no fault of its branches, and is asked once", async () => {
  const place = createPlace();
  addBranches(place, "good", 100);
  place.takesMs = () => {
    place.isAway = true;
    return 100;
  };
  await expect(place.search(nowhere)).rejects.toMatchObject({ kind: "unavailable", code: "GIT_REMOTE" });
  expect(place.fetches).toHaveLength(1);
  await expect(place.fetchBranch("good-1")).rejects.toMatchObject({ code: "GIT_REMOTE" });
});

test("a branch that moved while git refused it is not held against either commit", async () => {
  const place = createPlace();
  place.heads.set("main", bad);
  place.takesMs = () => {
    queueMicrotask(() => place.heads.set("main", nth(1)));
    return 100;
  };
  await expect(place.fetchBranch("main")).rejects.toMatchObject({ kind: "unavailable", code: "GIT_REMOTE" });
  await place.fetchBranch("main");
  expect(place.here).toContain(nth(1));
});
