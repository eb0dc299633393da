import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import type { LogChunk } from "../../protocol/log-chunk.ts";
import type { BuildId, FullHostName, StorePath } from "../../protocol/names.ts";
import { createBuildLogs, defaultLogLimits, type BuildLogs, type LogLimits } from "./build-logs.ts";

const build = "01JD0000000000000000000000" as BuildId;
const drv = (name: string): StorePath => `/nix/store/${"0".repeat(32)}-${name}.drv` as StorePath;

interface Rig {
  readonly logs: BuildLogs;
  readonly stored: LogChunk[];
  open(): void;
  stop(): Promise<void>;
}

/** Logs whose store is shut until `open` is called. */
function rig(limits: Partial<LogLimits> = {}, isOpen = true): Rig {
  const gate = Promise.withResolvers<void>();
  if (isOpen) gate.resolve();
  const stored: LogChunk[] = [];
  const logs = createBuildLogs({
    build,
    firstLog: 0,
    clock: systemClock,
    limits: { ...defaultLogLimits, chunkMs: 5, ...limits },
    append: async (chunk) => {
      await gate.promise;
      stored.push(chunk);
    },
  });
  const stopped = new AbortController();
  const running = logs.run(stopped.signal).catch(() => undefined);
  return {
    logs,
    stored,
    open: () => gate.resolve(),
    async stop() {
      stopped.abort();
      await running;
    },
  };
}

const never = new AbortController().signal;
const textOf = (stored: readonly LogChunk[], log: number): string =>
  stored
    .filter((chunk) => chunk.log === log)
    .map((chunk) => chunk.text)
    .join("");

test("200,000 lines of two derivations arrive complete, in order, in few chunks without a gap", async () => {
  const { logs, stored, stop } = rig();
  const expected = { a: "", b: "" };
  for (let i = 0; i < 100_000; i++) {
    for (const name of ["a", "b"] as const) {
      await logs.lines(drv(name), [`line ${i} of ${name}`]);
      expected[name] += `line ${i} of ${name}\n`;
    }
  }
  logs.end(drv("a"));
  logs.end(drv("b"));
  await logs.flushed(never);
  await stop();
  expect(textOf(stored, 0)).toBe(expected.a);
  expect(textOf(stored, 1)).toBe(expected.b);
  expect(logs.droppedLines()).toBe(0);
  expect(stored.length).toBeLessThan(500);
  for (const log of [0, 1]) {
    const indexes = stored.filter((chunk) => chunk.log === log).map((chunk) => chunk.index);
    expect(indexes).toEqual(indexes.map((_, at) => at));
  }
});

test("a quiet log leaves by itself", async () => {
  const { logs, stored, stop } = rig();
  void logs.lines(drv("a"), ["first"]);
  void logs.lines(drv("a"), ["second"]);
  await expect.poll(() => textOf(stored, 0)).toBe("first\nsecond\n");
  await stop();
});

test("a store that is slow makes the producer wait, and nothing is lost", async () => {
  const { logs, stored, open, stop } = rig({ waitingBytes: 1000, patienceMs: 60_000 }, false);
  let waited: void | Promise<void> = undefined;
  for (let i = 0; i < 400 && waited === undefined; i++) {
    waited = logs.lines(drv("a"), ["x".repeat(500)]);
    logs.end(drv("a"));
  }
  expect(waited).toBeInstanceOf(Promise);
  open();
  await waited;
  await logs.flushed(never);
  await stop();
  expect(logs.droppedLines()).toBe(0);
  expect(textOf(stored, 0).split("\n").length).toBeGreaterThan(2);
});

test("a store that is gone loses lines only after a while, and says how many", async () => {
  const { logs, stored, open, stop } = rig({ waitingBytes: 1000, patienceMs: 20 }, false);
  for (let i = 0; i < 20; i++) {
    await logs.lines(drv("a"), ["x".repeat(200)]);
    logs.end(drv("a"));
  }
  expect(logs.droppedLines()).toBeGreaterThan(0);
  open();
  await logs.flushed(never);
  await logs.lines(drv("a"), ["back"]);
  logs.end(drv("a"));
  await logs.flushed(never);
  await stop();
  const kept = textOf(stored, 0).split("\n").length - 1;
  const dropped = stored.reduce((sum, chunk) => sum + chunk.dropped, 0);
  expect(kept + dropped).toBe(21);
});

test("a derivation that never stops talking is stored up to its limit and counted beyond", async () => {
  const { logs, stored, stop } = rig({ derivationBytes: 1000 });
  for (let i = 0; i < 100; i++) await logs.lines(drv("a"), ["x".repeat(99)]);
  logs.end(drv("a"));
  await logs.flushed(never);
  await stop();
  expect(textOf(stored, 0).length).toBeLessThan(1300);
  expect(stored.reduce((sum, chunk) => sum + chunk.dropped, 0)).toBe(logs.droppedLines());
  expect(logs.tail(drv("a"))).toHaveLength(defaultLogLimits.tailLines);
});

test("a chunk has the hosts that are known when it is made, unless they are too many", async () => {
  const { logs, stored, stop } = rig();
  let hosts: FullHostName[] = [];
  const said = async (line: string): Promise<void> => {
    await logs.lines(drv("a"), [line], { hosts: () => hosts });
    await logs.flushed(never);
  };
  await said("unknown");
  hosts = ["homelab/web01"];
  await said("one");
  hosts = Array.from({ length: 9 }, (_, i): FullHostName => `homelab/web${i}`);
  await said("many");
  await stop();
  expect(stored.map((chunk) => chunk.hosts)).toEqual([undefined, ["homelab/web01"], undefined]);
});

test("a chunk is of one machine, also where a derivation is tried again on another", async () => {
  const { logs, stored, stop } = rig();
  const on = async (line: string, machine?: string): Promise<void> => {
    await logs.lines(drv("a"), [line], { machine });
  };
  await on("first", "ssh://arm1");
  await on("lost", "ssh://arm1");
  logs.end(drv("a"));
  await on("again", "ssh://arm2");
  await on("at home");
  await logs.openFull(drv("a"), "ssh://arm2").write("whole\n");
  await logs.flushed(never);
  await stop();
  expect(stored.map(({ log, text, machine }) => [log, text, machine])).toEqual([
    [0, "first\n", "ssh://arm1"],
    [0, "lost\n", "ssh://arm1"],
    [0, "again\n", "ssh://arm2"],
    [1, "whole\n", "ssh://arm2"],
    [0, "at home\n", undefined],
  ]);
});

test("hosts that joined after the last line are said at the end, in a chunk without text", async () => {
  const { logs, stored, stop } = rig();
  let hosts: FullHostName[] = ["homelab/web01"];
  await logs.lines(drv("a"), ["only line"], { hosts: () => hosts });
  await logs.lines(drv("b"), ["only line"], { hosts: () => ["homelab/nas"] });
  hosts = ["homelab/web01", "homelab/nas"];
  logs.end(drv("a"));
  logs.end(drv("b"));
  await logs.flushed(never);
  await stop();
  expect(stored.map(({ index, text, hosts: said }) => [index, text, said])).toEqual([
    [0, "only line\n", ["homelab/web01"]],
    [0, "only line\n", ["homelab/nas"]],
    [1, "", ["homelab/web01", "homelab/nas"]],
  ]);
});

test("a chunk that is refused keeps nobody waiting: its lines are counted, and later ones are tried again", async () => {
  const stored: LogChunk[] = [];
  let refuses = true;
  const logs = createBuildLogs({
    build,
    firstLog: 0,
    clock: systemClock,
    append: async (chunk) => {
      if (refuses) throw new Error("our key may not publish to build-logs");
      stored.push(chunk);
    },
  });
  const stopped = new AbortController();
  const running = logs.run(stopped.signal).catch(() => undefined);
  for (const text of ["one", "two", "three"]) await logs.lines(drv("a"), [text]);
  await logs.flushed(never);
  expect([logs.droppedLines(), logs.refusal()]).toEqual([3, "our key may not publish to build-logs"]);
  refuses = false;
  await logs.lines(drv("a"), ["four"]);
  await logs.flushed(never);
  expect(stored.map(({ text }) => text)).toEqual(["four\n"]);
  stopped.abort();
  await running;
});
