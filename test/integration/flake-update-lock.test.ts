import { readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { diffLocks, updatableInputs } from "../../src/nix/lock/flake-lock-diff.ts";
import { checkLockChange } from "../../src/nix/lock/flake-lock-check.ts";
import { graftLock } from "../../src/nix/lock/flake-lock-graft.ts";
import { nodeAt, parseFlakeLock, printFlakeLock } from "../../src/nix/lock/flake-lock.ts";
import { historyOf, lockWithRevision } from "../../src/nix/lock/input-revision.ts";
import { createRevisionLocker } from "../../src/nix/lock/lock-revision.ts";
import { nixEnvironment, prepareNixDirectory } from "../../src/nix/nix-environment.ts";
import { readNixSettings } from "../../src/nix/settings/nix-settings.ts";
import type { LockUpdate, Locker } from "../../src/nix/locker.ts";
import { createLockUpdater } from "../../src/nix/lock/update-lock.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { createFlakeGraph, type FlakeGraph, type GraphShape } from "../support/flake-graph.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";

const signal = new AbortController().signal;
const exec = createExec();
const timeoutMs = 60_000;

let store: ThrowAwayStore;
let updater: Pick<Locker, "updateLock">;
let revisions: Pick<Locker, "lockRevision">;
beforeAll(async () => {
  store = await createThrowAwayStore();
  const environment = nixEnvironment(store.environment, join(store.directory, "ours"));
  await prepareNixDirectory(join(store.directory, "ours"));
  const { version } = await readNixSettings(exec, environment, signal);
  revisions = createRevisionLocker({ exec, environment });
  updater = createLockUpdater({ exec, environment, version });
});
afterAll(async () => store.remove());

let graphs = 0;
async function createGraph(shape: GraphShape): Promise<FlakeGraph> {
  return createFlakeGraph(store, join(store.directory, `graph${graphs++}`), shape);
}
/** A flake with two inputs, of which the first takes in the second and has no lock. */
const pair: GraphShape = {
  flakes: [
    { inputs: [0, 1], hasLock: true },
    { inputs: [0], hasLock: false },
    { inputs: [], hasLock: false },
  ],
  follows: [1],
};

const update = async (directory: string, inputs?: readonly string[]): Promise<LockUpdate> =>
  updater.updateLock(directory, { timeoutMs, inputs }, signal);
const lockText = async (directory: string): Promise<string> =>
  readFile(join(directory, "flake.lock"), "utf8");
const setLock = async (directory: string, text: string): Promise<void> =>
  writeFile(join(directory, "flake.lock"), text);
const movedBy = (before: string, after: string): readonly string[] =>
  diffLocks(parseFlakeLock(before), parseFlakeLock(after)).map(({ path }) => path.join("/"));
const evaluate = async (directory: string): Promise<string> =>
  store.run("nix", "eval", "--raw", "--no-update-lock-file", "--no-write-lock-file", `${directory}#v`);

test("updates all inputs or those that are named, and gives the lock that is there then", async () => {
  const { directory, advance } = await createGraph(pair);
  const base = await lockText(directory);
  expect(printFlakeLock(parseFlakeLock(base))).toBe(base);
  expect(await update(directory)).toEqual({ type: "updated", lock: base });

  await advance();
  const some = await update(directory, ["f2"]);
  expect(some).toEqual({ type: "updated", lock: await lockText(directory) });
  expect(movedBy(base, await lockText(directory))).toEqual(["f2"]);
  expect(await evaluate(directory)).toBe("f0.0(f1.1(f2.1()) f2.2())");

  expect(await update(directory)).toMatchObject({ type: "updated" });
  expect(movedBy(base, await lockText(directory))).toEqual(["f1", "f2"]);
  expect(checkLockChange(parseFlakeLock(base), parseFlakeLock(await lockText(directory)))).toEqual([]);
});

test.each([["f3"], ["nixpkgs"], ["--help"], ["f1/f2"], ["."], [""]])(
  "an input %j that the flake does not have is an error",
  async (name) => {
    const { directory } = await createGraph(pair);
    const before = await lockText(directory);
    await expect(update(directory, ["f1", name])).rejects.toMatchObject({
      kind: "usage",
      code: "UNKNOWN_FLAKE_INPUT",
    });
    expect(await lockText(directory)).toBe(before);
  },
);

test("an input that cannot be reached is named, and is no fault of the flake", async () => {
  const { directory, advance } = await createGraph(pair);
  await advance();
  await rename(join(directory, "../f2"), join(directory, "../elsewhere"));
  const before = await lockText(directory);
  expect(await update(directory, ["f2"])).toMatchObject({
    type: "failed",
    failure: {
      kind: "unavailable",
      input: "f2",
      message: expect.stringMatching(
        /^the flake's input f2 cannot be updated: .*does not (?:exist|appear to be a git repository)/,
      ) as string,
    },
  });
  // Here it is what another input takes in.
  expect(await update(directory)).toMatchObject({ type: "failed", failure: { input: "f1" } });
  expect(await lockText(directory)).toBe(before);
});

test("a flake that is broken is its own fault", async () => {
  const { directory } = await createGraph(pair);
  await writeFile(join(directory, "flake.nix"), "{ inputs = ");
  expect(await update(directory)).toMatchObject({
    type: "failed",
    failure: { kind: "failed", message: expect.stringContaining("syntax error") as string },
  });
});

test("writes the first lock of a flake, and never through a link", async () => {
  const { directory } = await createGraph({
    ...pair,
    flakes: pair.flakes.map((flake) => ({ ...flake, hasLock: false })),
  });
  expect(await update(directory)).toEqual({ type: "updated", lock: await lockText(directory) });
  await rename(join(directory, "flake.lock"), join(directory, "../other.lock"));
  await symlink("../other.lock", join(directory, "flake.lock"));
  await expect(update(directory)).rejects.toMatchObject({ code: "FLAKE_LOCK_INVALID" });
});

test("one revision of an input is locked as an update at that time would have locked it", async () => {
  const [first, ...others] = pair.flakes;
  const flakes = [
    ...(first === undefined ? [] : [first]),
    ...others.map((flake) => ({ ...flake, hasLock: true })),
  ];
  const { directory, advance } = await createGraph({ ...pair, flakes });
  const before = parseFlakeLock(await lockText(directory));
  await advance();
  await update(directory);
  const text = await lockText(directory);
  const after = parseFlakeLock(text);
  const locked = nodeAt(before, "f1").locked ?? { type: "none" };
  const rev = locked.rev ?? "";
  const reference = historyOf(locked)?.at(rev) ?? "";
  const specification = { input: "f1", reference, isFlake: true, timeoutMs };
  const made = await revisions.lockRevision(directory, specification, signal);
  const lock = lockWithRevision(after, parseFlakeLock(made.type === "updated" ? made.lock : ""), "f1", rev);
  expect(graftLock(after, lock, new Set(["f1"]))).toEqual(graftLock(after, before, new Set(["f1"])));
  expect(await lockText(directory)).toBe(text);

  // What is no flake has no flake.nix that Nix could read.
  const source = await revisions.lockRevision(directory, { ...specification, isFlake: false }, signal);
  const alone = parseFlakeLock(source.type === "updated" ? source.lock : "");
  expect(nodeAt(alone, "f1")).toMatchObject({ locked, flake: false });

  const gone = reference.replace(rev, "1".repeat(40));
  const failed = await revisions.lockRevision(directory, { ...specification, reference: gone }, signal);
  expect(failed).toMatchObject({ type: "failed" });
});

test("an update that takes too long or is aborted ends", async () => {
  const { directory } = await createGraph(pair);
  const impatient = await updater.updateLock(directory, { timeoutMs: 1 }, signal);
  expect(impatient).toMatchObject({ type: "failed", failure: { kind: "unavailable" } });
  const aborted = AbortSignal.abort(new Error("enough"));
  await expect(updater.updateLock(directory, { timeoutMs }, aborted)).rejects.toThrow("enough");
});

const shapes = fc.record({
  flakes: fc
    .array(fc.record({ inputs: fc.array(fc.nat({ max: 3 }), { maxLength: 3 }), hasLock: fc.boolean() }), {
      minLength: 3,
      maxLength: 6,
    })
    .map(([, ...others]) => [{ inputs: [0, 1, 2, 3, 4], hasLock: true }, ...others]),
  follows: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 4 }),
});

test("a graft is what Nix itself makes of an update of these inputs", { timeout: 300_000 }, async () => {
  const seed = Number(process.env["GRAFT_SEED"] ?? Date.now() % 2 ** 31);
  console.log(`graft: GRAFT_SEED=${seed}`);
  const property = fc.asyncProperty(
    shapes,
    fc.array(fc.nat({ max: 10 }), { minLength: 1, maxLength: 3 }),
    async (shape, picks) => {
      const { directory, advance } = await createGraph(shape);
      const base = await lockText(directory);
      await advance();
      expect(await update(directory)).toMatchObject({ type: "updated" });
      const full = await lockText(directory);
      const names = updatableInputs(parseFlakeLock(base));
      const taken = new Set(picks.map((pick) => names[pick % names.length] ?? ""));

      await setLock(directory, base);
      expect(await update(directory, [...taken])).toMatchObject({ type: "updated" });
      const own = { lock: await lockText(directory), value: await evaluate(directory) };

      const graft = printFlakeLock(graftLock(parseFlakeLock(base), parseFlakeLock(full), taken));
      await setLock(directory, graft);
      expect(await evaluate(directory)).toBe(own.value);
      expect(graft).toBe(own.lock);
      expect(checkLockChange(parseFlakeLock(base), parseFlakeLock(graft))).toEqual([]);
    },
  );
  await fc.assert(property, { numRuns: Number(process.env["GRAFT_RUNS"] ?? 6), seed, endOnFailure: true });
});
