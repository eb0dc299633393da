// Locks that Nix itself has made of every kind of input that needs no network: read, printed back, and grafted for each
// input and for some together, compared with what Nix writes when it updates only these.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { isAtLeast } from "../../src/base/version.ts";
import { diffLocks, updatableInputs } from "../../src/nix/lock/flake-lock-diff.ts";
import { graftLock } from "../../src/nix/lock/flake-lock-graft.ts";
import {
  type FlakeLock,
  type FlakeNode,
  nodeAt,
  parseFlakeLock,
  printFlakeLock,
  rootInputs,
} from "../../src/nix/lock/flake-lock.ts";
import { createLockUpdater } from "../../src/nix/lock/update-lock.ts";
import { nixEnvironment, prepareNixDirectory } from "../../src/nix/nix-environment.ts";
import { readNixSettings } from "../../src/nix/settings/nix-settings.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { createFlakeOfKinds } from "../support/flake-kinds.ts";
import { createThrowAwayStore } from "../support/nix-store.ts";
import { createChoices } from "../support/random-choices.ts";

const signal = new AbortController().signal;
const timeoutMs = 120_000;
/** GRAFT_SEED=7 chooses the same subsets again. */
const seed = Number(process.env["GRAFT_SEED"] ?? Date.now() % 2 ** 31);

const test = base.extend("kinds", { scope: "file" }, async ({}, { onCleanup }) => {
  const store = await createThrowAwayStore();
  onCleanup(() => store.remove());
  const exec = createExec();
  const environment = nixEnvironment(store.environment, join(store.directory, "ours"));
  await prepareNixDirectory(join(store.directory, "ours"));
  const { version } = await readNixSettings(exec, environment, signal);
  const isRecent = isAtLeast(version, "2.26");
  const flake = await createFlakeOfKinds(store, join(store.directory, "kinds"), { isRecent });
  const updater = createLockUpdater({ exec, environment, version });
  const file = join(flake.directory, "flake.lock");
  const update = async (inputs?: readonly string[]): Promise<string> => {
    const updated = await updater.updateLock(flake.directory, { timeoutMs, inputs }, signal);
    if (updated.type === "failed") throw new Error(updated.failure.message);
    return updated.lock;
  };
  const first = await update();
  await flake.advance();
  const full = await update();
  return {
    isRecent,
    first,
    full,
    /** What Nix makes of a lock when it updates these inputs. */
    async nix(lock: string, inputs: readonly string[]): Promise<string> {
      await writeFile(file, lock);
      await update(inputs);
      return readFile(file, "utf8");
    },
  };
});

test("what Nix has locked is read, and printed back byte for byte", ({ kinds }) => {
  for (const text of [kinds.first, kinds.full]) expect(printFlakeLock(parseFlakeLock(text))).toBe(text);
  const lock = parseFlakeLock(kinds.first);
  const types = Object.values(lock.nodes).map(({ original }) => original?.type ?? "root");
  const expected = ["root", "git", "path", "indirect", "tarball", ...(kinds.isRecent ? ["file"] : [])];
  expect(new Set(types)).toEqual(new Set(expected));
  expect(rootInputs(lock)).toMatchObject({
    alias: ["plain"],
    "second-alias": ["alias"],
    nested: ["floating", "deep"],
  });
  const selfish = rootInputs(lock)["selfish"];
  expect(nodeAt(lock, String(selfish)).inputs).toMatchObject({ parent: [], plain: ["locked", "plain"] });
});

test("every input that Nix moves is said to have moved", ({ kinds }) => {
  const { first, full } = kinds;
  const [before, after] = [first, full].map(parseFlakeLock);
  if (before === undefined || after === undefined) throw new Error("there are two locks");
  // A pinned revision stays; what else Nix writes beside it has differed between two runs of it.
  const [old, young] = [before, after].map((lock) => nodeAt(lock, "pinned").locked?.rev);
  expect(old).toBe(young);
  const isLoose = (name: string): boolean => name !== "pinned";
  const changed = diffLocks(before, after).map(({ path }) => path[0] ?? "");
  expect(changed.filter(isLoose)).toEqual(updatableInputs(before).filter(isLoose).toSorted());
});

test("a graft of any of its inputs is what Nix writes, byte for byte", async ({ kinds }) => {
  const { first, full } = kinds;
  const names = updatableInputs(parseFlakeLock(first));
  const choices = createChoices(seed);
  const together = Array.from({ length: 6 }, () => choices.some(names, choices.count(2, names.length - 1)));
  for (const inputs of [...names.map((name) => [name]), ...together]) {
    const graft = graftLock(parseFlakeLock(first), parseFlakeLock(full), new Set(inputs));
    const which = `GRAFT_SEED=${seed}: ${inputs.join(", ")}`;
    expect(printFlakeLock(graft), which).toBe(await kinds.nix(first, inputs));
  }
});

/** As Nix wrote it in 2020: with the hash and the time beside what is locked. */
function asVersion5(lock: FlakeLock): FlakeLock {
  const nodes = Object.entries(lock.nodes).map(([key, node]): [string, FlakeNode] => {
    if (node.locked === undefined) return [key, node];
    const { narHash, lastModified, ...locked } = node.locked;
    return [key, { ...node, info: { lastModified, narHash }, locked }];
  });
  return { ...lock, nodes: Object.fromEntries(nodes), version: 5 };
}

test.for([
  [5, asVersion5],
  [6, (lock: FlakeLock) => ({ ...lock, version: 6 })],
] as const)("a lock of version %i is grafted as Nix would update it", async ([, old], { kinds }) => {
  const full = parseFlakeLock(kinds.full);
  const text = printFlakeLock(old(parseFlakeLock(kinds.first)));
  expect(printFlakeLock(parseFlakeLock(text))).toBe(text);
  expect(diffLocks(parseFlakeLock(text), parseFlakeLock(kinds.first))).toEqual([]);
  const graft = graftLock(parseFlakeLock(text), full, new Set(["plain"]));
  expect(printFlakeLock(graft)).toBe(await kinds.nix(text, ["plain"]));
});
