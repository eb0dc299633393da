import * as v from "valibot";
import { expect, test } from "vitest";
import { HomelabError } from "../base/errors.ts";
import type { GcRoots, RootedCommit } from "../nix/gc-roots.ts";
import { parseCommit, parseHostName, parseRepoName, StorePath, type Commit } from "../protocol/names.ts";
import { carryOutRetention, planRetention } from "./retain.ts";

const signal = new AbortController().signal;
const repo = parseRepoName("nixos-servers");
const other = parseRepoName("nixos");
const web = parseHostName("web");
const commit = (digit: string): Commit => parseCommit(digit.repeat(40));
const rooted = (digit: string, day: number, more: Partial<RootedCommit> = {}): RootedCommit => ({
  repo,
  commit: commit(digit),
  usedAt: new Date(Date.UTC(2026, 0, day)),
  wasHead: true,
  hosts: new Map([[web, v.parse(StorePath, `/nix/store/${digit.repeat(32)}-system`)]]),
  ...more,
});

function rootsOf(commits: readonly RootedCommit[], inUse: readonly Commit[] = []) {
  const dropped: Commit[] = [];
  const gcRoots: Pick<GcRoots, "list" | "drop"> = {
    list: async () => commits,
    drop: async (planned) => {
      if (inUse.includes(planned.commit)) return "in-use";
      dropped.push(planned.commit);
      return "dropped";
    },
  };
  return { gcRoots, dropped };
}

const asked: string[] = [];
const options = (gcRoots: Pick<GcRoots, "list" | "drop">, open: readonly Commit[] = []) => ({
  gcRoots,
  keepNewest: 1,
  now: () => new Date("2026-02-01"),
  openUpdates: async (name: string) => {
    asked.push(name);
    return new Set(open);
  },
});

test("drops what is old, keeps what an open update waits on, and says what a build still uses", async () => {
  const all = [rooted("a", 4), rooted("b", 3), rooted("c", 2), rooted("d", 1)];
  const { gcRoots, dropped } = rootsOf(all, [commit("c")]);
  const plan = await planRetention(options(gcRoots, [commit("b")]), [repo], signal);
  const result = await carryOutRetention({ gcRoots }, plan, signal);
  expect(dropped).toEqual([commit("d")]);
  expect(result.inUse.map((each) => each.commit)).toEqual([commit("c")]);
});

test("asks no remote while nothing would go, and never of a repo that is not asked about", async () => {
  asked.length = 0;
  const { gcRoots } = rootsOf([
    rooted("a", 4),
    rooted("b", 3, { repo: other }),
    rooted("c", 2, { repo: other }),
  ]);
  const plan = await planRetention(options(gcRoots), [repo], signal);
  expect(plan.map(({ rooted: { commit: each } }) => each)).toEqual([commit("a")]);
  expect(asked).toEqual([]);
});

test("drops nothing while a remote cannot say which updates are open", async () => {
  const { gcRoots, dropped } = rootsOf([rooted("a", 4), rooted("b", 3)]);
  const silent = { ...options(gcRoots), openUpdates: async () => Promise.reject(new Error("no route")) };
  await expect(planRetention(silent, [repo], signal)).rejects.toThrow("no route");
  expect(dropped).toEqual([]);
});

const systemOf = (digit: string): StorePath => v.parse(StorePath, `/nix/store/${digit.repeat(32)}-system`);

test("keeps what hosts run, and asks for it only where something would go", async () => {
  const { gcRoots, dropped } = rootsOf([rooted("a", 4), rooted("b", 3), rooted("c", 2)]);
  let questions = 0;
  const deployedSystems = async () => {
    questions++;
    return new Set([systemOf("c")]);
  };
  const plan = await planRetention({ ...options(gcRoots), deployedSystems }, [repo], signal);
  await carryOutRetention({ gcRoots }, plan, signal);
  expect(dropped).toEqual([commit("b")]);
  await planRetention({ ...options(gcRoots), keepNewest: 9, deployedSystems }, [repo], signal);
  expect(questions).toBe(1);
});

test("drops no tip while it is unknown what hosts run, and says so", async () => {
  const { gcRoots, dropped } = rootsOf([
    rooted("a", 4),
    rooted("b", 3),
    rooted("c", 2),
    rooted("d", 1, { wasHead: false }),
  ]);
  const said: string[] = [];
  const deployedSystems = async () => Promise.reject(new HomelabError("unavailable", "NATS is away"));
  const onUnknown = (name: string, why: Error): void => void said.push(`${name}: ${why.message}`);
  const silent = { ...options(gcRoots), keepNewest: 0, deployedSystems, onUnknown };
  await carryOutRetention({ gcRoots }, await planRetention(silent, [repo], signal), signal);
  expect(dropped).toEqual([commit("d")]);
  expect(said).toEqual(["nixos-servers: NATS is away"]);
});
