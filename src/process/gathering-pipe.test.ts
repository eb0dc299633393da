import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createExec } from "./create-exec.ts";
import type { ExecOptions } from "./exec.ts";

const exec = createExec();
const env = { PATH: "/usr/bin:/bin" };
const never = new AbortController().signal;
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "homelab-pipe-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const shell = async (script: string, options: Partial<ExecOptions> = {}) =>
  exec("/bin/sh", ["-c", script], { signal: never, env, stderrPipeDirectory: directory, ...options });

const openFiles = (): number => readdirSync("/proc/self/fd").length;

test("lines that are written one by one are read many at once, and all of them", async () => {
  const lines = 100_000;
  let text = "";
  let reads = 0;
  const script = `i=0; while [ $i -lt ${lines} ]; do echo $i >&2; i=$((i+1)); done`;
  const { exitCode } = await shell(script, {
    onStderr(chunk) {
      reads++;
      text += Buffer.from(chunk).toString();
    },
  });
  expect(exitCode).toBe(0);
  expect(text === Array.from({ length: lines }, (_, index) => `${index}\n`).join("")).toBe(true);
  expect(reads).toBeLessThan(lines / 4);
});

test("a line is given at once, not when the program ends", async () => {
  const controller = new AbortController();
  const running = shell("echo now >&2; sleep 600", {
    signal: controller.signal,
    onStderr: (chunk) => controller.abort(new Error(Buffer.from(chunk).toString())),
  });
  await expect(running).rejects.toThrow("now\n");
});

test("a program is not started any more when it is aborted while its pipe is made", async () => {
  const reason = new Error("not wanted any more");
  for (let step = 0; step < 60; step++) {
    const controller = new AbortController();
    const running = shell("sleep 600", { signal: controller.signal, graceMs: 0 });
    const until = performance.now() + step / 10;
    const abort = (): void => {
      if (performance.now() < until) setImmediate(abort);
      else controller.abort(reason);
    };
    abort();
    await expect(running).rejects.toBe(reason);
  }
});

test("a slow consumer slows the program and does not fill the memory", async () => {
  let bytes = 0;
  let largest = 0;
  const { stderrTail } = await shell("head -c 20000000 /dev/zero >&2; echo END >&2", {
    async onStderr(chunk) {
      bytes += chunk.byteLength;
      largest = Math.max(largest, chunk.byteLength);
      await new Promise((resolve) => setTimeout(resolve, 1));
    },
  });
  expect([bytes, stderrTail.endsWith("\u0000END\n")]).toEqual([20_000_004, true]);
  expect(largest).toBeLessThanOrEqual(64 * 1024);
});

test("a program that leaves somebody behind with its pipe does not hold the result up", async () => {
  const { exitCode, stdout } = await shell("sleep 600 & echo $!; exit 3");
  expect(exitCode).toBe(3);
  process.kill(Number(stdout));
});

test("nothing is left: no name in the directory and no open file", async () => {
  await shell("echo x >&2");
  const before = openFiles();
  for (let i = 0; i < 10; i++) await shell("echo x >&2");
  await expect(
    exec("/no/such/program", [], { signal: never, env, stderrPipeDirectory: directory }),
  ).rejects.toMatchObject({ code: "PROGRAM_MISSING" });
  await expect.poll(openFiles).toBeLessThanOrEqual(before);
  expect(readdirSync(directory)).toEqual([]);
});

test.each([
  ["mkfifo is not installed", { env: { PATH: "/nonexistent" } }],
  ["its directory is not there", { stderrPipeDirectory: "/nonexistent/directory" }],
])("without a pipe of our own what is printed comes all the same: %s", async (_, options) => {
  const { exitCode, stderrTail } = await shell("echo said >&2", options);
  expect([exitCode, stderrTail]).toEqual([0, "said\n"]);
  expect(existsSync("/nonexistent")).toBe(false);
});
