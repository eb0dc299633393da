import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineSplitter } from "../../base/lines.ts";
import type { StorePath } from "../../protocol/names.ts";
import { createNixLogReader, maxNixLogLineLength, parseCounts, type NixLogEvent } from "./nix-log.ts";

const drvPath = "/nix/store/w9sgi6bq7qx3diwagw96bmppim34572a-shared-1.drv" as StorePath;

function read(text: string): NixLogEvent[] {
  const events: NixLogEvent[] = [];
  const log = createNixLogReader((event) => events.push(event));
  const lines = new LineSplitter(maxNixLogLineLength, (line) => log.line(line));
  lines.write(Buffer.from(text));
  lines.end();
  return events;
}

const said = (...values: readonly unknown[]): string =>
  values.map((value) => `@nix ${JSON.stringify(value)}\n`).join("");
const start = (type: number, ...fields: unknown[]): unknown => ({
  action: "start",
  fields,
  id: 1,
  level: 3,
  text: "",
  type,
});
const result = (type: number, ...fields: unknown[]): unknown => ({ action: "result", fields, id: 1, type });
const logLine = (line: string): unknown => result(101, line);
const message = (msg: string): unknown => ({ action: "msg", level: 0, msg });

describe("a line is one event", () => {
  test.each<[what: string, line: unknown, event: NixLogEvent]>([
    ["a build", start(105, drvPath, "", 1, 1), { type: "build-started", id: "1", drvPath }],
    [
      "a build on another machine",
      start(105, drvPath, "ssh-ng://big", 1, 1),
      { type: "build-started", id: "1", drvPath, machine: "ssh-ng://big" },
    ],
    ["a hook", start(110, drvPath), { type: "hook-started", id: "1", drvPath }],
    ["the count of builds", start(104), { type: "total-started", id: "1", of: "builds" }],
    ["the count of fetches", start(103), { type: "total-started", id: "1", of: "fetches" }],
    ["a build of what is no store path", start(105, "a.drv"), { type: "other-started" }],
    ["anything else that starts", start(101, "https://cache"), { type: "other-started" }],
    ["an end", { action: "stop", id: 1 }, { type: "stopped", id: "1" }],
    ["progress", result(105, 1, 2, 3, 4), { type: "progress", id: "1", text: "1,2,3,4" }],
    ["a phase", result(104, "buildPhase"), { type: "phase", id: "1", text: "buildPhase" }],
    ["a log line", logLine("made it\n"), { type: "log-line", id: "1", text: "made it" }],
    [
      "a line of a hook, which says so",
      result(107, "signed"),
      { type: "hook-line", id: "1", text: "post-build-hook: signed" },
    ],
    ["a message", message("error: no"), { type: "message", level: 0, text: "error: no", own: false }],
    [
      "a message of Nix's own",
      { action: "msg", column: null, file: null, level: 0, line: null, msg: "error: no", raw_msg: "no" },
      { type: "message", level: 0, text: "error: no", own: true },
    ],
  ])("%s", (_, line, event) => {
    expect(read(said(line))).toEqual([event]);
    // With its keys in another order it is parsed as a whole.
    const turned = Object.fromEntries(Object.entries(line as object).toReversed());
    expect(read(said(turned))).toEqual([event]);
  });

  test("its id stays what JSON.parse would round", () => {
    const id = "17750270905679873";
    const line = (value: unknown): string => said(value).replace('"id":1', `"id":${id}`);
    expect(read(line(start(105, drvPath)) + line(logLine("x")))).toMatchObject([{ id }, { id }]);
  });

  test("what a newer Nix may say, and what Nix expects, is no event", () => {
    const unknown = [result(999, "x"), result(106, 101, 5), { action: "dance", id: 1 }, []];
    expect(read(said(...unknown))).toEqual([]);
  });

  test("what others print to the same stderr is foreign", () => {
    expect(read("Receiving objects:  1%\rReceiving objects: 99%\r\n\nfatal: no such ref\n@nix")).toEqual([
      { type: "foreign", level: 3, text: "Receiving objects: 99%" },
      { type: "foreign", level: 0, text: "fatal: no such ref" },
      { type: "foreign", level: 3, text: "@nix" },
    ]);
  });

  test("a log line may look like the keys around it", () => {
    const line = '"],"id":17750270905679873,"type":106}\\';
    expect(read(said(logLine(line)))).toEqual([{ type: "log-line", id: "1", text: line }]);
  });
});

test.each([
  ["1,2,3,4", [1, 2, 3, 4]],
  ["1,2,3", undefined],
  ["1,2,3,4,5", undefined],
  ['1,"x",2,3', undefined],
  ["", undefined],
])("the counts of %j are %j", (text, counts) => {
  expect(parseCounts(text)).toEqual(counts);
});

describe("what is too long", () => {
  const cut = "x".repeat(16 * 1024) + " … [line cut at 16 KiB]";
  const textsOf = (events: readonly NixLogEvent[]): string[] =>
    events.flatMap((event) => ("text" in event ? [event.text] : []));

  test("a log line of 20 KiB, of 1 MiB and of 5 MiB is cut to 16 KiB and says so", () => {
    const text = said(
      logLine("x".repeat(20 * 1024)),
      logLine("x".repeat(1024 * 1024)),
      logLine("x".repeat(5 * 1024 * 1024)),
      logLine("next"),
    );
    expect(textsOf(read(text))).toEqual([cut, cut, cut, "next"]);
  });

  test("its end may be cut anywhere", () => {
    const empty = said(logLine("")).trimEnd().length;
    for (let early = 0; early < 64; early++) {
      const line = "x".repeat(maxNixLogLineLength - empty + early);
      expect(read(said(logLine(line), logLine("next")))).toEqual([
        { type: "log-line", id: "1", text: cut },
        { type: "log-line", id: "1", text: "next" },
      ]);
    }
  });

  test("an escape sequence at the cut does not lose the line", () => {
    const line = "x" + "\u0001".repeat(1024 * 1024);
    expect(textsOf(read(said(logLine(line))))).toEqual([expect.stringMatching(/^x\u0001{4000,}/)]);
  });

  test("an error that quotes very long lines is still Nix's error", () => {
    const tail = `\u001b[31;1merror:\u001b[0m builder for '${drvPath}' failed with exit code 3;\n       last 1 log lines:\n       > ${"y".repeat(1024 * 1024)}`;
    const error = { action: "msg", column: null, file: null, level: 0, line: null, msg: tail, raw_msg: tail };
    const text = `error: builder for '${drvPath}' failed with exit code 3;`;
    expect(read(said(error, message(tail)))).toEqual([
      { type: "message", level: 0, text, own: true },
      { type: "message", level: 0, text, own: false },
    ]);
  });

  test("a phase is one short line", () => {
    const phase = result(104, `a\n\u001b[31m${"b".repeat(500)}`);
    expect(textsOf(read(said(phase)))).toEqual([`a ${"b".repeat(98)}`]);
  });
});

test("any log line comes through as it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (line) => {
      const inside = line.replace(/\n$/, "");
      expect(read(said(logLine(inside)))).toEqual([{ type: "log-line", id: "1", text: inside }]);
    }),
  );
});
