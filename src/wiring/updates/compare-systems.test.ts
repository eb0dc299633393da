import { expect, test } from "vitest";
import { hostRef, scriptBuild, storePath, type BuildScript } from "../../../test/support/build-events.ts";
import { createFakeBuilds } from "../../../test/support/fake-builds.ts";
import { silentLog } from "../../base/log.ts";
import type { Closure } from "../../nix/store.ts";
import {
  parseBranchName,
  parseCommit,
  parseRepoName,
  type BuildId,
  type Commit,
} from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { compareSystems } from "./compare-systems.ts";

const signal = AbortSignal.timeout(60_000);
const [base, commit] = [parseCommit("a".repeat(40)), parseCommit("b".repeat(40))];
const repo = parseRepoName("fleet");
const now = () => new Date("2026-11-23T09:00:00Z");

/** By host, the name of its system; without one it does not build. */
type Systems = Readonly<Record<string, string | undefined>>;

function buildOf(id: BuildId, at: Commit, systems: Systems): BuildScript {
  const hosts = Object.keys(systems).map((host) => `fleet/${host}`);
  const sources = [{ repo, branch: parseBranchName("main"), commit: at }];
  const script = scriptBuild(id).accepted(hosts, { sources });
  for (const [host, system] of Object.entries(systems)) {
    const ref = `fleet/${host}`;
    if (system === undefined) script.hostsFinished("build-failed", [ref]);
    else {
      const paths = { drvPath: storePath(`${system}.drv`), outPath: storePath(system) };
      script.event({
        type: "evaluated",
        durationMs: 1,
        hosts: [{ ...hostRef(ref), ...paths, remembered: false }],
      });
      script.hostsFinished("built", [ref]);
    }
  }
  return script.finished("succeeded");
}

interface Lab {
  readonly recorded?: Systems;
  /** What the builder makes of a commit when it is asked. */
  readonly builds?: Systems;
  readonly after: Systems;
  /** What is not in this store. */
  readonly elsewhere?: readonly string[];
  readonly store?: "broken";
}

async function compare({ recorded, builds = {}, after, elsewhere = [], store }: Lab) {
  const record = recorded && buildOf(newBuildId(now()), base, recorded);
  const asked: unknown[] = [];
  const made = new Map<BuildId, BuildScript>();
  const reader: ReturnType<typeof createFakeBuilds> = {
    ...createFakeBuilds([], () => "built"),
    acceptedBuilds: async () => (record === undefined ? [] : [record.id]),
    readEvents: async () => record?.events ?? [],
    async submit(_, { id, rev, hosts = [] }) {
      asked.push([rev === base ? "base" : "commit", hosts]);
      const wanted =
        hosts.length === 0 ? builds : Object.fromEntries(hosts.map((host) => [host, builds[host]]));
      made.set(id, buildOf(id, parseCommit(rev ?? ""), wanted));
    },
    async *follow(id) {
      for (const event of made.get(id)?.events ?? []) yield { type: "event", event };
    },
  };
  const missing = new Set(elsewhere.map(storePath));
  const options = {
    repo,
    builds: reader,
    nix: {
      validPaths: async (paths: readonly string[]) =>
        new Set(paths.filter((path) => !missing.has(path as never))) as never,
      readClosure: async (path: string): Promise<Closure> => {
        if (store === "broken") throw new Error("the daemon is away");
        return { paths: [{ path: path as never, size: 1 }], boot: { kernel: path } };
      },
    },
    clock: { now },
    log: silentLog,
    buildMs: 60_000,
  };
  const { hosts } = buildOf(newBuildId(now()), commit, after).state;
  const comparison = await compareSystems(options, { base, commit, hosts: hosts.values() }, signal);
  const { diffs, unchanged, unknown } = comparison;
  return { changed: [...diffs.keys()], unchanged, unknown, asked };
}

test("what was recorded of the base needs no build, and the rest is asked for by its hosts", async () => {
  const recorded = { web: "web-1", db: "db-1" };
  expect(await compare({ recorded, after: { web: "web-2", db: "db-1" } })).toEqual({
    changed: ["web"],
    unchanged: ["db"],
    unknown: [],
    asked: [],
  });
  const builds = { nas: "nas-1" };
  expect(await compare({ recorded, builds, after: { web: "web-2", nas: "nas-2" } })).toEqual({
    changed: ["web", "nas"],
    unchanged: [],
    unknown: [],
    asked: [["base", ["nas"]]],
  });
});

test("hosts that do not build have no system to compare, and those that did not before are named", async () => {
  const compared = await compare({ builds: { web: undefined }, after: { web: "web-2", db: undefined } });
  expect(compared).toMatchObject({
    changed: [],
    unknown: [{ reason: "the system of before is not built", hosts: ["web"] }],
  });
});

test.each([
  [{ elsewhere: ["web-1"] }, "the systems are not in this machine's store"],
  [{ store: "broken" }, "this machine's store could not be read"],
] as const)("what is not in this store is said to be unknown: %j", async (state, reason) => {
  const recorded = { web: "web-1", db: "db-1" };
  expect(await compare({ recorded, after: { web: "web-2", db: "db-1" }, ...state })).toMatchObject({
    changed: [],
    unchanged: ["db"],
    unknown: [{ reason, hosts: ["web"] }],
  });
});

test("of very many hosts only some are compared", async () => {
  const names = Array.from({ length: 52 }, (_, index) => `host${index}`);
  const systems = (version: number) => Object.fromEntries(names.map((name) => [name, `${name}-${version}`]));
  const { changed, unknown } = await compare({ recorded: systems(1), after: systems(2) });
  expect(changed).toHaveLength(50);
  expect(unknown).toEqual([{ reason: "only 50 hosts are compared", hosts: ["host50", "host51"] }]);
});
