import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HomelabError } from "../base/errors.ts";
import { createExec } from "./create-exec.ts";
import type { ExecOptions } from "./exec.ts";
import { parseStat, readProcessTable } from "./process-table.ts";

const exec = createExec();
const env = { PATH: "/usr/bin:/bin" };
const never = new AbortController().signal;
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "homelab-exec-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const shell = async (script: string, options: Partial<ExecOptions> = {}) =>
  exec("sh", ["-c", script], { signal: never, env, ...options });

/** Pids that a script wrote to its stderr, one a line, and that still run. */
const alive = (pids: readonly string[]): string[] =>
  pids.filter((pid) => readProcessTable().some((entry) => String(entry.pid) === pid));

/** Aborts once the script has said that many pids. */
async function abortAfter(count: number, script: string, options: Partial<ExecOptions> = {}) {
  const controller = new AbortController();
  let said = "";
  const pids = (): string[] => said.match(/\d+(?=\n)/g) ?? [];
  const reason = new Error("not wanted any more");
  const outcome = shell(script, {
    ...options,
    signal: controller.signal,
    onStderr(chunk) {
      said += Buffer.from(chunk).toString();
      if (pids().length >= count) controller.abort(reason);
    },
  });
  await expect(outcome).rejects.toBe(reason);
  expect(pids()).toHaveLength(count);
  return pids();
}

test("gives what a program says and how it ended", async () => {
  const result = await shell("echo out; echo err >&2; exit 3");
  expect(result).toMatchObject({ exitCode: 3, killedBy: undefined, timedOut: false });
  expect([result.stdout, result.stderrTail]).toEqual(["out\n", "err\n"]);
  expect(await shell("kill -9 $$")).toMatchObject({ exitCode: undefined, killedBy: "SIGKILL" });
});

test("gives nothing of our environment and no input", async () => {
  const { stdout } = await shell("cat; env", { env: { ...env, ONLY: "this" } });
  expect(stdout).toContain("ONLY=this");
  expect(stdout).not.toContain("HOME=");
});

test("says which program is missing", async () => {
  const outcome = exec("no-such-program", [], { signal: never, env });
  await expect(outcome).rejects.toThrow(HomelabError);
  await expect(outcome).rejects.toMatchObject({ kind: "unavailable", code: "PROGRAM_MISSING" });
  await expect(outcome).rejects.toThrow("no-such-program is not installed");
});

test("does not start anything when it is aborted already", async () => {
  const outcome = shell(`touch ${directory}/started`, { signal: AbortSignal.abort() });
  await expect(outcome).rejects.toMatchObject({ name: "AbortError" });
  expect(execFileSync("ls", [directory]).toString()).toBe("");
});

test("a program that ends on SIGTERM may end in its own way", async () => {
  const controller = new AbortController();
  let said = "";
  const outcome = shell("trap 'echo bye >&2; exit 0' TERM; echo ready >&2; while :; do sleep 0.1; done", {
    signal: controller.signal,
    onStderr(chunk) {
      said += Buffer.from(chunk).toString();
      if (said === "ready\n") controller.abort();
    },
  });
  await expect(outcome).rejects.toMatchObject({ name: "AbortError" });
  expect(said).toBe("ready\nbye\n");
});

test("a program that ignores SIGTERM is killed after the grace", async () => {
  const started = performance.now();
  const pids = await abortAfter(1, "trap '' TERM INT HUP; echo $$ >&2; while :; do sleep 0.1; done", {
    graceMs: 300,
  });
  expect(alive(pids)).toEqual([]);
  expect(performance.now() - started).toBeGreaterThan(290);
});

test("a child in a session of its own ends too", async () => {
  const pids = await abortAfter(2, "setsid sh -c 'echo $$ >&2; exec sleep 600' & echo $$ >&2; wait", {
    graceMs: 300,
  });
  expect(alive(pids)).toEqual([]);
});

test("a child that was left by its parent ends too", async () => {
  const script = "sh -c 'sleep 600 & echo $! >&2' ; echo $$ >&2; sleep 600";
  expect(alive(await abortAfter(2, script, { graceMs: 300 }))).toEqual([]);
});

test("a child that left both its session and its parent is found by its directory", async () => {
  const script = `cd ${directory}; sh -c 'setsid sleep 600 & echo $! >&2'; cd /; echo $$ >&2; sleep 600`;
  const pids = await abortAfter(2, script, { graceMs: 300, ownedDirectory: directory });
  expect(alive(pids)).toEqual([]);
});

test("nothing is left in an owned directory after the program's own end", async () => {
  const script = `export TMPDIR=${directory}/deep; sh -c 'setsid sleep 600 2>/dev/null >&2 & echo $!'`;
  const { exitCode, stdout } = await shell(script, { ownedDirectory: directory });
  expect(exitCode).toBe(0);
  expect(alive([stdout.trim()])).toEqual([]);
});

test("nor what is just becoming another program, and has no environment meanwhile", async () => {
  const restless = join(directory, "restless");
  writeFileSync(restless, '#!/bin/sh\nexec "$0"\n', { mode: 0o755 });
  const outside = { cwd: "/", ownedDirectory: join(directory, "own") };
  const start = `setsid ${restless} 2>/dev/null >&2 & echo $!;`;
  const script = `export TMPDIR=${directory}/own; sh -c '${start.repeat(20)} sleep 0.1'`;
  for (let turn = 0; turn < 5; turn += 1) {
    const { stdout } = await shell(script, outside);
    const left = alive(stdout.trim().split("\n"));
    for (const pid of left) process.kill(Number(pid), "SIGKILL");
    expect(left).toEqual([]);
  }
});

test("a stranger who looks into an owned directory is spared", async () => {
  const stranger = spawn("sleep", ["600"], { cwd: directory, detached: true, stdio: "ignore" });
  try {
    await shell("true", { ownedDirectory: directory });
    expect(alive([String(stranger.pid)])).toEqual([String(stranger.pid)]);
  } finally {
    stranger.kill("SIGKILL");
  }
});

test("without an owned directory what a program leaves on purpose stays", async () => {
  const { stdout } = await shell("sleep 600 2>/dev/null >&2 & echo $!");
  expect(alive([stdout.trim()])).toEqual([stdout.trim()]);
  process.kill(Number(stdout), "SIGKILL");
});

test("leaves no timer behind that would keep us alive", async () => {
  const script = `
    const { createExec } = await import(${JSON.stringify(join(import.meta.dirname, "create-exec.ts"))});
    const options = { signal: new AbortController().signal, env: { PATH: "/usr/bin:/bin" }, timeoutMs: 3_600_000 };
    await createExec()("true", [], options);`;
  const args = ["--input-type=module", "--eval", script];
  const result = await exec(process.execPath, args, { signal: never, env, timeoutMs: 50_000 });
  expect(result).toMatchObject({ exitCode: 0, timedOut: false });
});

test("a grandchild that keeps the pipes open does not hold the result up", async () => {
  const startedAt = performance.now();
  const result = await shell("sleep 600 & echo $!; echo done >&2; exit 0");
  expect(result).toMatchObject({ exitCode: 0, stderrTail: "done\n" });
  expect(performance.now() - startedAt).toBeGreaterThan(1_900);
  process.kill(Number(result.stdout), "SIGKILL");
});

test("a grandchild that continues talking does not hold the result up", async () => {
  const result = await shell("(while :; do echo talk >&2; sleep 0.01; done) & echo $!; exit 0");
  expect(result.exitCode).toBe(0);
  // Nobody reads its pipe any more: it ends at what it says next.
  await expect.poll(() => alive([result.stdout.trim()])).toEqual([]);
});

test("a grandchild that talks faster than it is heard does not hold the result up", async () => {
  const result = await shell("yes >&2 & echo $!; exit 0", {
    onStderr: async () => new Promise((resolve) => setTimeout(resolve, 30)),
  });
  expect(result.exitCode).toBe(0);
  // Nobody reads its pipe any more.
  await expect.poll(() => alive([result.stdout.trim()])).toEqual([]);
});

test("a program that takes too long is ended, and the result says so", async () => {
  const result = await shell("echo partial; sleep 600", { timeoutMs: 2_000, graceMs: 30_000 });
  expect(result).toMatchObject({ timedOut: true, killedBy: "SIGTERM", stdout: "partial\n" });
});

test("64 MiB of output end the program instead of filling the memory", async () => {
  const outcome = shell("head -c 70000000 /dev/zero; sleep 600", { graceMs: 300 });
  await expect(outcome).rejects.toMatchObject({ kind: "failed", code: "OUTPUT_TOO_LARGE" });
});

test("gives the output in pieces to who wants it so", async () => {
  let bytes = 0;
  const result = await shell("head -c 300000 /dev/zero", {
    maxStdoutBytes: 10,
    async onStdout(chunk) {
      await Promise.resolve();
      bytes += chunk.byteLength;
    },
  });
  expect([bytes, result.stdout, result.exitCode]).toEqual([300_000, "", 0]);
});

test("an error of the consumer ends the program and comes out", async () => {
  const outcome = shell("echo x >&2; sleep 600", {
    onStderr: async () => Promise.reject(new Error("consumer broke")),
  });
  await expect(outcome).rejects.toThrow("consumer broke");
});

test("a program that prints more than its consumer takes is held up and fills no memory", async () => {
  const progress = join(directory, "progress");
  const { promise: consumed, resolve: consume } = Promise.withResolvers<void>();
  let bytes = 0;
  let largest = 0;
  const outcome = shell(
    `for i in $(seq 100); do head -c 1000000 /dev/zero >&2; echo $i > ${progress}; done; echo END >&2`,
    {
      async onStderr(chunk) {
        bytes += chunk.byteLength;
        largest = Math.max(largest, chunk.byteLength);
        await consumed;
      },
    },
  );
  expect(Number(await contentOnceStill(progress))).toBeLessThan(20);
  consume();
  const result = await outcome;
  expect(bytes).toBe(100_000_004);
  expect(largest).toBeLessThanOrEqual(1024 * 1024);
  expect(result.stderrTail).toHaveLength(64 * 1024);
  expect(result.stderrTail.endsWith("\u0000END\n")).toBe(true);
});

/** What a file holds once it has not changed for half a second. */
async function contentOnceStill(path: string): Promise<string> {
  const read = (): string => (existsSync(path) ? readFileSync(path, "utf8") : "");
  for (;;) {
    const content = read();
    await sleep(500);
    if (read() === content) return content;
  }
}

test("a consumer that is busy when the program ends still gets everything", async () => {
  let bytes = 0;
  await shell("head -c 100000 /dev/zero >&2", {
    async onStderr(chunk) {
      bytes += chunk.byteLength;
      if (bytes === chunk.byteLength) await new Promise((resolve) => setTimeout(resolve, 2_300));
    },
  });
  expect(bytes).toBe(100_000);
});

test("a consumer that never finishes does not hold an abort up", async () => {
  const controller = new AbortController();
  const outcome = shell("echo x >&2; sleep 600", {
    signal: controller.signal,
    graceMs: 100,
    async onStderr() {
      controller.abort();
      return new Promise(() => {});
    },
  });
  await expect(outcome).rejects.toMatchObject({ name: "AbortError" });
});

test.each([
  ["a plain name", "12 (sh) S 1 12 11 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 2 3", true],
  ["a name with ) and spaces", "12 (a) S 9 (b) S 1 12 11 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 2", true],
  ["a zombie", "12 (sh) Z 1 12 11 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 2 3", false],
  ["a process that is gone", "", false],
])("reads %s of the process table", (_, line, found) => {
  const expected = { pid: 12, parent: 1, session: 11, startTime: "777" };
  expect(parseStat(line)).toEqual(found ? expected : undefined);
});
