import { expect, test } from "vitest";
import { sampleBuild, sampleCommit, storePath } from "../../../test/support/build-events.ts";
import { createFakeNix, fakeDrv, fakeOut } from "../../../test/support/fake-nix.ts";
import { unknownBuild } from "../../protocol/build-state.ts";
import {
  fullName,
  parseHostName,
  parseRepoName,
  type FullHostName,
  type StorePath,
} from "../../protocol/names.ts";
import type { BuildProgress, RunningDerivation } from "../../protocol/progress.ts";
import type { HostsNow } from "../record/build-logs.ts";
import { createDerivationCounts } from "../record/derivation-counts.ts";
import type { NeedsOfHosts } from "./host-needs.ts";
import { workKey, type ReadyWork, type RunningBuild } from "../work.ts";
import { createLaneActivity, type LaneActivity } from "./lane-activity.ts";

const repo = parseRepoName("homelab");
const shared = storePath("shared-1.drv");
const never = new AbortController().signal;

interface Stage {
  readonly built: Map<FullHostName, string>;
  /** Hosts that wait for a slot. */
  readonly forSlot: ReadonlySet<FullHostName>;
  readonly started: Omit<RunningDerivation, "elapsedMs" | "phase">[];
  counted(): BuildProgress["builds"];
  /** What it was said to wait for. */
  readonly waits: readonly (string | undefined)[];
  /** One Nix process for these hosts, whose graphs are known. */
  process(...hosts: readonly string[]): Promise<LaneActivity>;
  /** The same, before the graphs are known; and when they are. */
  start(...hosts: readonly string[]): { readonly activity: LaneActivity; known(): Promise<void> };
  /** What the build is told about phases. */
  readonly phases: readonly string[];
  /** A build of its own for a host, and what that is told about phases. */
  apart(host: string): readonly string[];
  /** The hosts that the last line of a log was for, as they are known now. */
  hostsOfLog(): readonly FullHostName[];
}

/** One build of these hosts, each of which needs its own derivations and a shared one. */
function stage(...names: readonly string[]): Stage {
  const built = new Map<FullHostName, string>();
  const forSlot = new Set<FullHostName>();
  const started: Stage["started"] = [];
  const counts = createDerivationCounts();
  const waits: (string | undefined)[] = [];
  const phases: string[] = [];
  let hosts: HostsNow = () => [];
  const build: RunningBuild = {
    id: sampleBuild,
    priority: "batch",
    sources: new Map([
      [
        repo,
        {
          repo,
          commit: sampleCommit,
          flake: { mirror: "/mirrors/homelab", commit: sampleCommit },
          isHead: true,
          allowImportFromDerivation: false,
          memory: {
            inventory: () => undefined,
            rememberInventory() {},
            get: () => undefined,
            remember() {},
            forget() {},
          },
        },
      ],
    ]),
    unresolved: [],
    record: { state: () => unknownBuild(sampleBuild), emit() {}, run: async () => undefined },
    logs: {
      lines: (_, __, { hosts: now = () => [] } = {}) => void (hosts = now),
      openFull: () => ({ log: 1, write: async () => undefined }),
      tail: () => [],
      end() {},
      droppedLines: () => 0,
      refusal: () => undefined,
      flushed: async () => undefined,
      run: async () => undefined,
    },
    progress: {
      note() {},
      waiting: (reason) => void waits.push(reason),
      evaluations() {},
      toBuild: (drvPaths) => counts.toBuild(drvPaths),
      fetches() {},
      host(progress) {
        built.set(fullName(progress), `${progress.built}/${progress.toBuild}`);
        if (progress.waitsForSlot === true) forSlot.add(fullName(progress));
        else forSlot.delete(fullName(progress));
      },
      started: (_, derivation) => void started.push(derivation),
      phase: (_, phase) => void phases.push(phase),
      stopped: (drvPath, outcome) => outcome !== undefined && counts.ended(drvPath, outcome),
      run: async () => undefined,
    },
    startedAt: 0,
    hosts: names.map((name) => ({ repo, host: parseHostName(name) })),
    verdicts: new Map(),
    open: new Map(),
    failures: new Map(),
    hasBug: false,
    warningsSaid: new Set(),
  };
  const works = new Map(
    build.hosts.map(({ host }): [string, ReadyWork] => [
      host,
      {
        key: workKey(repo, { commit: sampleCommit }, host),
        repo,
        commit: sampleCommit,
        host,
        order: 0,
        watchers: new Set([build]),
        stage: "building",
        evaluation: { drvPath: fakeDrv(host), outPath: fakeOut(host), system: "x86_64-linux", warnings: [] },
        remembered: false,
        goesFirst: false,
        outcome: undefined,
        attempt: 1,
        interruptions: 0,
        reevaluated: false,
      },
    ]),
  );
  for (const work of works.values()) build.open.set(fullName(work), work);
  const nix = {
    ...createFakeNix(new Map()),
    unbuilt: async (top: StorePath): Promise<ReadonlySet<StorePath>> => new Set([top, shared]),
  };
  const needs: NeedsOfHosts = new Map();
  const durations = { of: (name: string) => (name === "shared-1" ? 3000 : undefined), learn: async () => {} };
  const start: Stage["start"] = (...some) => {
    const wanted = some.flatMap((name) => works.get(name) ?? []);
    const activity = createLaneActivity({ nix, durations, needs }, wanted, never);
    return {
      activity,
      async known() {
        await expect.poll(() => [...built.keys()]).toEqual(expect.arrayContaining(wanted.map(fullName)));
      },
    };
  };
  return {
    built,
    forSlot,
    started,
    counted: () => counts.read([]),
    waits,
    hostsOfLog: () => hosts(),
    phases,
    start,
    async process(...some) {
      const { activity, known } = start(...some);
      await known();
      return activity;
    },
    apart(name) {
      const told: string[] = [];
      const work = works.get(name);
      if (work === undefined) throw new Error(`there is no ${name}`);
      const progress = { ...build.progress, phase: (_: StorePath, phase: string) => void told.push(phase) };
      work.watchers.clear();
      work.watchers.add({ ...build, progress, open: new Map([[fullName(work), work]]) });
      return told;
    },
  };
}

test("what one process builds counts for the hosts of the others, and its log is theirs too", async () => {
  const { process, built, started, hostsOfLog } = stage("web01", "nas");
  const first = await process("web01");
  void first.take({ type: "derivation-started", drvPath: shared });
  void first.take({ type: "log-lines", drvPath: shared, lines: ["CC a.o"] });
  expect(hostsOfLog()).toEqual(["homelab/web01"]);
  await process("nas");
  expect(hostsOfLog()).toEqual(["homelab/web01", "homelab/nas"]);
  void first.take({ type: "derivation-stopped", drvPath: shared });
  expect(built).toEqual(
    new Map([
      ["homelab/web01", "1/2"],
      ["homelab/nas", "1/2"],
    ]),
  );
  expect(started).toEqual([{ name: "shared-1", usualMs: 3000, host: { repo, host: "web01" } }]);
});

test("what began before it was known whom it is for, is then only told to those", async () => {
  const { apart, start, phases } = stage("web01", "nas");
  const others = apart("nas");
  const { activity, known } = start("web01", "nas");
  const drvPath = fakeDrv("web01");
  void activity.take({ type: "derivation-started", drvPath });
  void activity.take({ type: "phase", drvPath, phase: "unpackPhase" });
  await known();
  void activity.take({ type: "phase", drvPath, phase: "buildPhase" });
  expect(phases).toEqual(["unpackPhase", "buildPhase"]);
  expect(others).toEqual(["unpackPhase"]);
});

test("a host's own system is its own, and a process that ended needs nothing", async () => {
  const { process, hostsOfLog } = stage("web01", "nas");
  const both = await process("web01", "nas");
  void both.take({ type: "log-lines", drvPath: fakeDrv("nas"), lines: ["linking"] });
  expect(hostsOfLog()).toEqual(["homelab/nas"]);
  void both.take({ type: "log-lines", drvPath: shared, lines: ["CC a.o"] });
  expect(hostsOfLog()).toEqual(["homelab/web01", "homelab/nas"]);
  both.end();
  expect(hostsOfLog()).toEqual([]);
});

test("a build counts what its hosts need and Nix builds, in whichever process; not what is fetched", async () => {
  const { process, counted } = stage("web01", "nas");
  const [foreign, gone] = [storePath("foreign.drv"), storePath("gone.drv")];
  const first = await process("web01");
  for (const drvPath of [shared, foreign]) void first.take({ type: "derivation-planned", drvPath });
  void first.take({ type: "derivation-started", drvPath: foreign });
  expect(counted()).toMatchObject({ done: 0, total: 1 });
  void first.take({ type: "derivation-stopped", drvPath: foreign });
  expect(counted()).toMatchObject({ done: 0, total: 1 });

  const second = await process("nas");
  for (const drvPath of [shared, fakeDrv("nas")]) void second.take({ type: "derivation-planned", drvPath });
  void first.take({ type: "derivation-started", drvPath: shared });
  void first.take({ type: "derivation-stopped", drvPath: shared });
  void second.take({ type: "derivation-started", drvPath: fakeDrv("nas") });
  expect(counted()).toMatchObject({ done: 1, total: 2 });

  // A substituter promised it, and it is built after all.
  void first.take({ type: "derivation-started", drvPath: fakeDrv("web01") });
  expect(counted()).toMatchObject({ done: 1, failed: 0, total: 3 });
  void first.take({ type: "derivation-stopped", drvPath: fakeDrv("web01"), failed: true });
  void second.take({ type: "derivation-started", drvPath: gone });
  second.end();
  expect(counted()).toEqual({ done: 1, running: 0, failed: 1, total: 3 });
});

test("a build says what it waits for, and no more once its process has ended", async () => {
  const place = stage("one");
  const activity = await place.process("one");
  const reason = "waiting for the lock on linux: another Nix process builds it";
  await activity.take({ type: "waiting", reason });
  activity.end();
  expect(place.waits).toEqual([reason, undefined]);
});

test("a host waits for a slot while others are built and nothing of it is, and not while anything is fetched", async () => {
  const { process, forSlot } = stage("web01", "nas", "db");
  const first = await process("web01", "nas");
  expect([...forSlot]).toEqual([]);
  void first.take({ type: "derivation-started", drvPath: fakeDrv("web01") });
  expect([...forSlot]).toEqual(["homelab/nas"]);
  void first.take({ type: "fetch-counts", done: 1, expected: 2 });
  expect([...forSlot]).toEqual([]);
  void first.take({ type: "fetch-counts", done: 2, expected: 2 });
  expect([...forSlot]).toEqual(["homelab/nas"]);
  // What another process builds is for its hosts as well.
  const second = await process("db");
  void second.take({ type: "derivation-started", drvPath: shared });
  void first.take({ type: "fetch-counts", done: 2, expected: 2 });
  expect([...forSlot]).toEqual([]);
  void second.take({ type: "derivation-stopped", drvPath: shared });
  void first.take({ type: "derivation-stopped", drvPath: fakeDrv("web01") });
  void first.take({ type: "derivation-started", drvPath: fakeDrv("nas") });
  expect([...forSlot]).not.toContain("homelab/nas");
});
