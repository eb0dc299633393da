import { expect, test } from "vitest";
import { sampleBuild, storePath } from "../../../../test/support/build-events.ts";
import type { LogChunk } from "../../../protocol/log-chunk.ts";
import { collectLogs } from "./log-groups.ts";

const chunk = (log: number, text: string, more: Partial<LogChunk> = {}): LogChunk => ({
  build: sampleBuild,
  log,
  index: 0,
  drvPath: storePath(`drv-${log}.drv`),
  kind: "live",
  dropped: 0,
  text,
  ...more,
});

test("keeps the lines of logs that come in turns apart", () => {
  const logs = collectLogs();
  expect([chunk(1, "a\n"), chunk(2, "x\n"), chunk(1, "b\nc\n")].flatMap(logs.add)).toEqual([]);
  expect(logs.take(storePath("drv-1.drv"))).toMatchObject([{ title: "drv-1", lines: ["a", "b", "c"] }]);
  expect(logs.takeAll()).toMatchObject([{ title: "drv-2", lines: ["x"] }]);
  expect(logs.takeAll()).toEqual([]);
});

test("gives the longest log when it holds too much, and loses nothing", () => {
  const logs = collectLogs(10);
  expect(logs.add(chunk(1, "1234567\n"))).toEqual([]);
  expect(logs.add(chunk(2, "xyz\n"))).toMatchObject([{ title: "drv-1", lines: ["1234567"] }]);
  expect(logs.add(chunk(1, "8\n"))).toEqual([]);
  expect(logs.takeAll()).toMatchObject([
    { title: "drv-1 (continued)", lines: ["8"] },
    { title: "drv-2", lines: ["xyz"] },
  ]);
});

test("what two machines printed of one derivation is two groups", () => {
  const logs = collectLogs();
  logs.add(chunk(1, "a\n", { machine: "ssh://arm1" }));
  expect(logs.add(chunk(1, "b\n", { machine: "ssh://arm2" }))).toMatchObject([
    { title: "drv-1 on arm1", lines: ["a"] },
  ]);
  expect(logs.takeAll()).toMatchObject([{ title: "drv-1 on arm2 (continued)", lines: ["b"] }]);
});

test("says what was dropped where it was dropped", () => {
  const logs = collectLogs();
  logs.add(chunk(1, "a\n"));
  logs.add(chunk(1, "b\n", { dropped: 1 }));
  expect(logs.takeAll()[0]?.lines).toEqual(["a", "1 line was dropped here", "b"]);
});

test("a log is quiet when nothing was added since the last time", () => {
  const logs = collectLogs();
  logs.add(chunk(1, "a\n"));
  expect(logs.takeQuiet()).toEqual([]);
  logs.add(chunk(2, "x\n"));
  expect(logs.takeQuiet()).toMatchObject([{ title: "drv-1" }]);
  expect(logs.takeQuiet()).toMatchObject([{ title: "drv-2" }]);
});
