import { expect, test } from "vitest";
import { StorePath } from "../../protocol/names.ts";
import type { Exec, ExecResult } from "../../process/exec.ts";
import * as v from "valibot";
import { chunksOfArguments, createStoreQueries } from "./store-queries.ts";

const signal = new AbortController().signal;
const path = (number: number): StorePath =>
  v.parse(
    StorePath,
    `/nix/store/${String(number).padStart(32, "0")}-nixos-system-host-26.05.20260101.abcdef0`,
  );

function scripted(answer: (args: readonly string[]) => Partial<ExecResult>) {
  const calls: (readonly string[])[] = [];
  const exec: Exec = async (_, args, options) => {
    calls.push(args);
    const result = {
      exitCode: 0,
      killedBy: undefined,
      timedOut: false,
      stdout: "",
      stderrTail: "",
      durationMs: 1,
      ...answer(args),
    };
    if (options.onStdout !== undefined) await options.onStdout(Buffer.from(result.stdout));
    return result;
  };
  return { store: createStoreQueries({ exec, environment: {} }), calls };
}

test("gives the paths that Nix does not call invalid", async () => {
  const { store, calls } = scripted(() => ({ stdout: `${path(2)}\n` }));
  expect(await store.validPaths([path(1), path(2), path(3), path(1)], signal)).toEqual(
    new Set([path(1), path(3)]),
  );
  expect(calls).toEqual([["--check-validity", "--print-invalid", "--", path(1), path(2), path(3)]]);
});

test("asks nothing about no paths", async () => {
  const { store, calls } = scripted(() => ({}));
  expect(await store.validPaths([], signal)).toEqual(new Set());
  expect(calls).toEqual([]);
});

test("asks about thousands of paths at once, and about more in pieces", async () => {
  const many = Array.from({ length: 30_000 }, (_, index) => path(index));
  const { store, calls } = scripted((args) => ({ stdout: args.slice(3).join("\n") }));
  expect(await store.validPaths(many, signal)).toEqual(new Set());
  expect(calls[0]?.length).toBeGreaterThan(2_000);
  expect(calls.length).toBeLessThan(5);
  for (const args of calls) expect(args.join(" ").length).toBeLessThan(1_100_000);
  expect(chunksOfArguments([])).toEqual([]);
});

test.each([
  ["fails", { exitCode: 1, stderrTail: "error: cannot connect to socket at '/x': Connection refused\n" }],
  ["takes too long", { timedOut: true }],
  ["is killed", { exitCode: undefined, killedBy: "SIGKILL" }],
  ["speaks of what was not asked", { stdout: `${path(9)}\n` }],
])("calls nothing valid when Nix %s", async (_, answer) => {
  await expect(scripted(() => answer).store.validPaths([path(1)], signal)).rejects.toMatchObject({
    kind: "unavailable",
    code: "STORE_UNAVAILABLE",
  });
});

async function logOf(answer: Partial<ExecResult>): Promise<string> {
  let text = "";
  await scripted(() => answer).store.readLog(
    path(1),
    (chunk) => {
      text += Buffer.from(chunk).toString();
    },
    signal,
  );
  return text;
}

test("reads a log without the messages to Nix in it", async () => {
  expect(await logOf({ stdout: "a\n@nix {}\nb" })).toBe("a\nb");
});

test("no log is nothing, and an error is one", async () => {
  const stderrTail = "error: build log of derivation '/nix/store/x.drv' is not available\n";
  expect(await logOf({ exitCode: 1, stderrTail })).toBe("");
  await expect(logOf({ exitCode: 1, stderrTail: "error: interrupted by the user\n" })).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: "the Nix store does not say the log of a build: interrupted by the user",
  });
});

test.each([
  ["what is not there", "/nix/nothing/of/this", false],
  ["what would be below a file", `${import.meta.filename}/x`, false],
  ["what is there", import.meta.filename, true],
  ["what the system does not look at", `/${"x".repeat(300)}`, true],
])("%s: present is only what is not known to be missing", async (_, where, expected) => {
  const { store } = scripted(() => ({}));
  expect(await store.present(where as StorePath)).toBe(expected);
});
