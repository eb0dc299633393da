import fc from "fast-check";
import { expect, test } from "vitest";
import { sampleBuild, storePath } from "../../../../test/support/build-events.ts";
import type { LogChunk } from "../../../protocol/log-chunk.ts";
import { createJsonLogPrinter, createLogPrinter, lastLines, type LogPrinter } from "./stored-logs.ts";
import { plainStyle } from "../style.ts";

const chunk = (name: string, text: string, more: Partial<LogChunk> = {}): LogChunk => ({
  build: sampleBuild,
  log: name.length,
  index: 0,
  drvPath: storePath(`${name}.drv`),
  kind: "live",
  dropped: 0,
  text,
  ...more,
});

function printed(
  chunks: readonly LogChunk[],
  wrap: (printer: LogPrinter) => LogPrinter = (it) => it,
): string[] {
  const written = { out: "", err: "" };
  const printer = wrap(
    createLogPrinter({
      out: { write: (text) => (written.out += text) },
      err: { write: (text) => (written.err += text) },
      outStyle: plainStyle,
      errStyle: plainStyle,
    }),
  );
  for (const each of chunks) printer.chunk(each);
  printer.end();
  return [written.out, written.err];
}

test("text on one stream, what it is of on the other", () => {
  const chunks = [
    chunk("linux", "CC a.o\nCC b"),
    chunk("linux", ".o\n"),
    chunk("gitea-", "go\u001b[2J\n", { dropped: 3 }),
  ];
  expect(printed(chunks)).toEqual(["CC a.o\nCC b.o\ngo\n", "linux:\ngitea-:\n3 lines were dropped here\n"]);
});

test("each log says on which machine it was built, where that was not the builder", () => {
  const chunks = [
    chunk("linux", "a\n", { machine: "ssh://arm1" }),
    chunk("linux", "b\n", { machine: "ssh-ng://arm2" }),
    chunk("linux", "c\n", { machine: "ssh-ng://arm2" }),
    chunk("gitea-", "d\n"),
  ];
  expect(printed(chunks)).toEqual(["a\nb\nc\nd\n", "linux on arm1:\nlinux on arm2:\ngitea-:\n"]);
});

test("a line that never ended does not run into the next log", () => {
  expect(printed([chunk("linux", "no end"), chunk("linuxes", "b\n"), chunk("c", "d")])[0]).toBe(
    "no end\nb\nd\n",
  );
});

test("the last lines of each log, and what was dropped only where they are", () => {
  const chunks = [
    chunk("linux", "1\n2\n", { dropped: 5 }),
    chunk("gitea-", "a\n"),
    chunk("linux", "3\n4\n", { dropped: 7 }),
    chunk("linux", "5\n"),
  ];
  expect(printed(chunks, (printer) => lastLines(2, printer))).toEqual(["4\n5\na\n", "linux:\ngitea-:\n"]);
  expect(printed(chunks, (printer) => lastLines(3, printer))[1]).toBe(
    "linux:\n7 lines were dropped here\ngitea-:\n",
  );
});

test("the last lines are those of the whole text, however it was cut into chunks", () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[ab\n]{0,6}$/), { maxLength: 60 }),
      fc.integer({ min: 1, max: 30 }),
      (texts, count) => {
        const chunks = texts.filter((text) => text !== "").map((text) => chunk("linux", text));
        const whole = chunks.map(({ text }) => text).join("");
        const lines = (whole.endsWith("\n") ? whole.slice(0, -1) : whole).split("\n").slice(-count);
        const [out] = printed(chunks, (printer) => lastLines(count, printer));
        expect(out).toBe(whole === "" ? "" : `${lines.join("\n")}\n`);
      },
    ),
    { numRuns: 500 },
  );
});

test("as JSON each chunk is an object of its own", () => {
  let out = "";
  const printer = createJsonLogPrinter({ write: (text) => (out += text) });
  printer.chunk(chunk("linux", "a\u009b\n"));
  printer.end();
  expect(JSON.parse(out)).toEqual(chunk("linux", "a\u009b\n"));
  expect(out).not.toContain("\u009b");
});

test("a runner obeys no commands from the first line to the last", () => {
  let out = "";
  const stream = { write: (text: string) => (out += text) };
  const print = { out: stream, err: { write: () => true }, outStyle: plainStyle, errStyle: plainStyle };
  createLogPrinter({ ...print, runnerToken: "b6f1" }).end();
  expect(out).toBe("");
  const printer = createLogPrinter({ ...print, runnerToken: "b6f1" });
  printer.chunk(chunk("linux", "::error::x"));
  printer.chunk(chunk("gitea-", "y\n"));
  printer.end();
  expect(out).toBe("::stop-commands::b6f1\n::error::x\ny\n::b6f1::\n");
});
