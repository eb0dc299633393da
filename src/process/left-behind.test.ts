import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { endLeftBehind, findLeftBehind } from "./left-behind.ts";
import { hasEnded, type Owner, ownerEnvironment, ownerIn, ownerName, readOwnIdentity } from "./owner.ts";
import { type ProcessEntry, readEnvironment, readProcessTable } from "./process-table.ts";

const never = new AbortController().signal;
const own: Owner = { pid: 100, startTime: "50", namespace: "1" };
const dead: Owner = { pid: 90, startTime: "40", namespace: "1" };

const entry = (pid: number, parent: number, more: Partial<ProcessEntry> = {}): ProcessEntry => ({
  pid,
  parent,
  session: pid,
  startTime: "50",
  ...more,
});

/** Who is found when these name these owners. */
function found(
  table: readonly ProcessEntry[],
  owners: Readonly<Record<number, Owner>>,
  builds: number[] = [],
) {
  const { processes, tops } = findLeftBehind(table, own, {
    ownerOf: ({ pid }) => owners[pid],
    buildsInAbandoned: ({ pid }) => builds.includes(pid),
    known: new Set(),
  });
  const pids = (entries: readonly ProcessEntry[]): number[] =>
    entries.map(({ pid }) => pid).toSorted((a, b) => a - b);
  return { processes: pids(processes), tops: pids(tops) };
}

const self = entry(100, 1);
const init = entry(1, 0, { session: 0 });

test("finds what an owner that has ended started, with its descendants and its session", () => {
  const table = [init, self, entry(10, 1), entry(11, 10), entry(12, 1, { session: 10 }), entry(20, 1)];
  expect(found(table, { 10: dead })).toEqual({ processes: [10, 11, 12], tops: [10] });
});

test("tells only what the owner itself started, and not what that started", () => {
  const table = [init, self, entry(10, 1), entry(11, 10), entry(12, 11)];
  expect(found(table, { 10: dead, 11: dead, 12: dead })).toEqual({ processes: [10, 11, 12], tops: [10] });
});

test("finds builds whose Nix is gone", () => {
  expect(found([init, self, entry(10, 1), entry(11, 10)], {}, [10])).toEqual({
    processes: [10, 11],
    tops: [],
  });
});

test.each([
  ["the owner runs", [entry(90, 1, { startTime: "40" })], dead],
  ["the owner is in another container", [], { ...dead, namespace: "2" }],
  ["nobody says whose they are", [], undefined],
])("leaves processes alone when %s", (_, more, owner) => {
  const table = [init, self, ...more, entry(10, 1), entry(11, 10)];
  expect(found(table, owner === undefined ? {} : { 10: owner }).processes).toEqual([]);
});

test("an owner's pid that another process has now does not make it that owner", () => {
  const table = [init, self, entry(90, 1, { startTime: "45" }), entry(10, 1)];
  expect(found(table, { 10: dead }).processes).toEqual([10]);
});

test("spares this process and all that it stems from, whatever they inherited", () => {
  const table = [
    init,
    entry(60, 1),
    entry(61, 60, { session: 60 }),
    { ...self, parent: 61 },
    entry(101, 100),
  ];
  expect(found(table, { 60: dead, 61: dead, 100: dead }).processes).toEqual([]);
});

test("strangers whose session is outside of the container are not one session", () => {
  const table = [init, self, entry(10, 1), entry(20, 1, { session: 0 })];
  expect(found(table, { 10: dead }).processes).toEqual([10]);
});

test("an owner is found only in its own state directory", () => {
  const environment = `PATH=/bin\0HOMELAB_DEPLOY_OWNER=${ownerName(dead)} /var/lib/a b\0HOME=/\0`;
  expect(ownerIn(environment, "/var/lib/a b")).toEqual(dead);
  for (const other of ["/var/lib/a", "/var/lib", "/var/lib/a b/c", ""]) {
    expect(ownerIn(environment, other)).toBeUndefined();
  }
  expect(ownerIn("HOMELAB_DEPLOY_OWNER=nonsense /var/lib/a\0", "/var/lib/a")).toBeUndefined();
  expect(ownerIn("", "/var/lib/a")).toBeUndefined();
});

test("this process runs, and is in its own mark", () => {
  const me = readOwnIdentity();
  if (me === undefined) throw new Error("this test needs /proc");
  expect(hasEnded(me, me, readProcessTable())).toBe(false);
  expect(hasEnded({ ...me, startTime: "1" }, me, readProcessTable())).toBe(true);
  const mark = Object.entries(ownerEnvironment("/var/lib/a"))
    .map(([name, value]) => `${name}=${value}\0`)
    .join("");
  expect(ownerIn(mark, "/var/lib/a")).toEqual(me);
});

const path = "/usr/bin:/bin";
const started: number[] = [];
afterEach(() => {
  for (const pid of started.splice(0)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // ended already
    }
  }
});

const busyMachine = { timeout: 60_000 };
const isRunning = (pid: number): boolean => readProcessTable().some((each) => each.pid === pid);

/** Runs a shell script as a homelab-deploy does that is killed right then; gives the pids that the script prints. */
async function leaveBehind(script: string, stateDirectory: string): Promise<readonly number[]> {
  const source = (file: string): string => JSON.stringify(join(import.meta.dirname, file));
  const program = `
    const { createExec } = await import(${source("create-exec.ts")});
    const { ownerEnvironment } = await import(${source("owner.ts")});
    const exec = createExec(undefined, ownerEnvironment(${JSON.stringify(stateDirectory)}));
    const options = { signal: new AbortController().signal, env: { PATH: process.env.PATH } };
    await exec("sh", ["-c", ${JSON.stringify(script)}], { ...options, onStdout: (chunk) => { process.stdout.write(chunk); } });
  `;
  const owner = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: path },
  });
  let said = "";
  for await (const chunk of owner.stdout) {
    said += String(chunk);
    if (said.includes("ready")) break;
  }
  const exited = once(owner, "exit");
  owner.kill("SIGKILL");
  await exited;
  const pids = [...said.matchAll(/\d+/g)].map(([pid]) => Number(pid));
  started.push(...pids);
  return pids;
}

const end = async (stateDirectory: string): Promise<void> =>
  endLeftBehind(
    { stateDirectory, abandonedDirectories: [], clock: systemClock, log: silentLog, graceMs: 500 },
    never,
  );

test(
  "ends what was left behind, also what ignores SIGTERM or has left its session",
  busyMachine,
  async () => {
    const script = `
    sleep 4713 & echo $!
    setsid sleep 4714 & echo $!
    trap '' TERM; echo $$; echo ready; wait; sleep 4717`;
    const pids = await leaveBehind(script, "/var/lib/left-behind-test");
    expect(pids.map(isRunning)).toEqual([true, true, true]);
    await end("/var/lib/left-behind-test");
    expect(pids.map(isRunning)).toEqual([false, false, false]);
  },
);

test("of another state directory it ends nothing, nor of an owner that runs", busyMachine, async () => {
  const pids = await leaveBehind("echo $$; echo ready; exec sleep 4715", "/var/lib/left-behind-other");
  const ours = spawn("sleep", ["4716"], {
    env: { PATH: path, ...ownerEnvironment("/var/lib/left-behind-ours") },
  });
  started.push(ours.pid ?? 0);
  await end("/var/lib/left-behind-ours");
  expect(pids.map(isRunning)).toEqual([true]);
  expect(isRunning(ours.pid ?? 0)).toBe(true);
  expect(readEnvironment(ours.pid ?? 0)).toContain("left-behind-ours");
});
