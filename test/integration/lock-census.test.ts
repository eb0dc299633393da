import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test as base } from "vitest";
import { lockOf, node } from "../support/flake-locks.ts";
import { createGitRemote } from "../support/git-remote.ts";
import { createScratch } from "../support/scratch.ts";
import { printFlakeLock } from "../../src/nix/lock/flake-lock.ts";

const test = base.extend("remote", async ({}, { onCleanup }) => {
  const scratch = await createScratch("census-");
  onCleanup(() => scratch[Symbol.asyncDispose]());
  return createGitRemote(scratch.directory);
});

const program = join(import.meta.dirname, "../tools/lock-census.ts");

async function census(
  ...args: readonly string[]
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const run = promisify(execFile)(process.execPath, [program, ...args]);
  return run.then(
    (output) => ({ exitCode: 0, ...output }),
    (error: { code: number; stdout: string; stderr: string }) => ({ ...error, exitCode: error.code }),
  );
}

/** As Nix prints it: what is reached first has the plain name. */
const lockAt = (a: number, b: number): string =>
  printFlakeLock({
    ...lockOf({}),
    nodes: {
      a: node("a", { b: "b" }, a),
      b: node("b", undefined, a),
      b_2: node("b", undefined, b),
      root: { inputs: { a: "a", b: "b_2" } },
    },
  });

test("says what of a history parses, prints back, is explained and is reproduced", async ({ remote }) => {
  const commit = async (lock: string, more: Readonly<Record<string, string>> = {}) =>
    (await remote.commit({ files: { "flake.lock": lock, ...more } })).slice(0, 12);
  await commit(lockAt(1, 1), { "flake.nix": "{ }" });
  await commit(lockAt(2, 1));
  const declared = await commit(lockAt(2, 2), { "flake.nix": "{ } # changed" });
  const damaged = await commit(`<<<<<<< HEAD\n${lockAt(3, 2)}`);
  const mended = await commit(lockAt(3, 2));
  const packed = await commit(JSON.stringify(JSON.parse(lockAt(3, 3))));
  await remote.commit({ files: { README: "nothing of the lock" } });
  const { exitCode, stdout } = await census(remote.path);
  expect(exitCode).toBe(0);
  expect(stdout).toBe(`${remote.path}: 6 versions of flake.lock
  5 parse
  4 print back byte for byte
  2 are updates and change nothing in flake.nix
  2 of these our diff explains
  1 of these a graft of the changed inputs reproduces byte for byte
others:
  1 flake.nix changed too (${declared})
  1 not parsed: a conflict of a merge (${damaged})
  1 the version before does not parse (${mended})
  1 printed otherwise: no newline at its end (${packed})
  1 not reproduced: the version is printed otherwise (${packed})
`);
});

test("its arguments are checked, and it helps", async ({ remote }) => {
  await remote.commit();
  for (const args of [
    [],
    ["a", "b"],
    ["--exmaples", "1", "a"],
    ["--examples", "x", "a"],
    ["/nowhere"],
    [remote.path],
  ]) {
    expect(await census(...args)).toMatchObject({
      exitCode: 2,
      stdout: "",
      stderr: expect.stringContaining("error: "),
    });
  }
  expect(await census("--help")).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("usage: ") });
});
