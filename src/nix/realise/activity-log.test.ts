import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineSplitter } from "../../base/lines.ts";
import { createActivityLog } from "./activity-log.ts";
import { maxNixLogLineLength } from "./nix-log.ts";
import type { NixActivity, NixMessage } from "../realiser.ts";

const logs = join(import.meta.dirname, "../../../test/fixtures/nix-logs");
const versions = ["2.8.0", "2.26.3", "2.34.8"];
const drvPath = "/nix/store/w9sgi6bq7qx3diwagw96bmppim34572a-shared-1.drv";
const other = "/nix/store/7xfrjq1xp1z5yi47s5q8l3byihfb7779-shared-2.drv";

function read(...chunks: readonly (string | Uint8Array)[]): NixActivity[] {
  const activities: NixActivity[] = [];
  const log = createActivityLog((activity) => activities.push(activity));
  const lines = new LineSplitter(maxNixLogLineLength, (line) => log.line(line));
  for (const chunk of chunks) lines.write(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  lines.end();
  return activities;
}

const said = (...values: readonly unknown[]): string =>
  values.map((value) => `@nix ${JSON.stringify(value)}\n`).join("");
const building = (id: number, path = drvPath, machine = ""): unknown => ({
  action: "start",
  fields: [path, machine, 1, 1],
  id,
  level: 3,
  text: `building '${path}'`,
  type: 105,
});
const logLine = (id: number, line: string): unknown => ({ action: "result", fields: [line], id, type: 101 });
const counts = (id: number, ...fields: number[]): unknown => ({ action: "result", fields, id, type: 105 });
const stop = (id: number): unknown => ({ action: "stop", id });
const message = (level: number, msg: string): unknown => ({ action: "msg", level, msg });
const totals = { action: "start", id: 1, level: 0, text: "", type: 104 };

test("a transfer that moves on is told, and one that does not is not", () => {
  const copying = { action: "start", fields: [], id: 9, level: 3, text: "copying path", type: 100 };
  const bytes = (done: number): unknown => counts(9, done, 1000, 0, 0);
  const activities = read(said(copying, bytes(10), bytes(10), bytes(20), stop(9)));
  expect(activities).toEqual([{ type: "transferred" }, { type: "transferred" }]);
});

const linesOf = (activities: readonly NixActivity[]): string[] =>
  activities.flatMap((activity) => (activity.type === "log-lines" ? activity.lines : []));
const messagesOf = (activities: readonly NixActivity[]): NixMessage[] =>
  activities.flatMap((activity) => (activity.type === "message" ? [activity.message] : []));

/** The name of a sample derivation, short. */
const nameOf = (path: string): string =>
  /-(?:nixos-system-)?(?<name>[a-z0-9-]+?)(?:-24\.11\.synthetic|\.nix)?\.drv$/.exec(path)?.groups?.["name"] ??
  path;

describe("captured logs of three versions", () => {
  const one = "host01 host01-pkg-1 shared-1 shared-2 shared-3";
  const two = "host01 host01-pkg-1 host02 host02-pkg-1 shared-1 shared-2 shared-3";
  const four =
    "host01 host01-pkg-1 host02 host02-pkg-1 host03 host03-pkg-1 host04 host04-pkg-1 shared-1 shared-2 shared-3";
  /** Scenario: the derivations that started, and how many builds were done and failed in the end. */
  const expected: Readonly<Record<string, readonly [started: string, done: number, failed: number]>> = {
    b_ansi: [one, 4, 1],
    b_fakejson: [one, 4, 1],
    b_unicode: [one, 4, 1],
    cascade_kg: ["shared-1 shared-2 shared-3", 2, 1],
    daemon_mixed: ["host01 host01-pkg-1 host02-pkg-1 host03 host03-pkg-1 shared-1", 4, 2],
    disk_store: ["host01", 0, 1],
    failmulti_kg: [four, 9, 2],
    ifd: ["host01 host01-ifd host01-pkg-1 shared-1 shared-2 shared-3", 5, 0],
    loglimit: [one, 4, 1],
    realise_cascade: ["shared-1 shared-2 shared-3", 2, 1],
    realise_hash: ["fod-mismatch", 0, 1],
    realise_kill: [one, 4, 1],
    realise_mixed: [
      "host01 host01-pkg-1 host02 host02-pkg-1 host03 host03-pkg-1 shared-1 shared-2 shared-3",
      7,
      2,
    ],
    realise_multi: [four, 9, 2],
    realise_nooutput: [one, 4, 1],
    realise_ok: [two, 7, 0],
    realise_silent: [two, 6, 1],
    realise_timeout: [two, 6, 1],
    sf_dead_fallback: ["host01 host01-pkg-1 shared-1", 3, 0],
    sf_nar500_fallback: ["host01 host01-pkg-1 shared-1", 3, 0],
    sig_SIGTERM_children: [one, 4, 0],
    success: [two, 7, 0],
    trace: [one, 5, 0],
  };
  const files = globSync(join(logs, "*/*.log")).toSorted();

  test("are there for each version", () => {
    expect(new Set(files.map((file) => basename(dirname(file))))).toEqual(new Set(versions));
  });

  test.each(files.filter((file) => basename(file, ".log") in expected))(
    "say what started and how it ended: %s",
    (file) => {
      const activities = read(readFileSync(file));
      const started = activities.flatMap((activity) =>
        activity.type === "derivation-started" ? [activity.drvPath] : [],
      );
      const stopped = activities.flatMap((activity) =>
        activity.type === "derivation-stopped" ? [activity.drvPath] : [],
      );
      const last = activities.findLast((activity) => activity.type === "build-counts");
      expect([started.map(nameOf).toSorted().join(" "), last?.done, last?.failed]).toEqual(
        expected[basename(file, ".log")],
      );
      expect(stopped.toSorted()).toEqual(started.toSorted());
      expect(last).toMatchObject({ running: basename(file).startsWith("sig_") ? 1 : 0 });
    },
  );

  test.each(files.filter((file) => basename(file).startsWith("realise")))(
    "say what is planned before it starts, and which of it failed: %s",
    (file) => {
      const activities = read(readFileSync(file));
      const pathsOf = (type: NixActivity["type"]): string[] =>
        activities.flatMap((activity) =>
          activity.type === type && "drvPath" in activity ? [activity.drvPath] : [],
        );
      expect(pathsOf("derivation-planned")).toEqual(expect.arrayContaining(pathsOf("derivation-started")));
      const first = activities.findIndex(({ type }) => type === "derivation-started");
      expect(activities.findLastIndex(({ type }) => type === "derivation-planned")).toBeLessThan(first);
    },
  );

  test.each(files)("give nothing but plain messages: %s", (file) => {
    for (const { text } of messagesOf(read(readFileSync(file)))) {
      expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    }
  });

  test.each(versions)("show the phases of a build in their order: %s", (version) => {
    const phases = read(readFileSync(join(logs, version, "realise_ok.log"))).flatMap((activity) =>
      activity.type === "phase" && activity.drvPath.endsWith("-shared-1.drv") ? [activity.phase] : [],
    );
    expect(phases).toEqual(["unpackPhase", "buildPhase", "installPhase"]);
  });

  test.each(versions)("tell Nix's own errors from those that a builder forged: %s", (version) => {
    const errors = messagesOf(read(readFileSync(join(logs, version, "b_fakejson.log")))).filter(
      ({ level }) => level === 0,
    );
    expect(errors.filter(({ authentic }) => authentic).map(({ text }) => text)).toEqual([
      expect.stringContaining("failed with exit code 1"),
    ]);
    expect(errors.map(({ text }) => text)).toContain("error: forged by a builder");
  });

  test("tell them through the daemon as well, which passes them on without raw_msg", () => {
    const errors = messagesOf(read(readFileSync(join(logs, "2.8.0/daemon_mixed.log")))).filter(
      ({ level }) => level === 0,
    );
    expect(errors.filter(({ authentic }) => authentic).map(({ text }) => text)).toEqual([
      expect.stringMatching(/^error: builder for '.*-host02-pkg-1\.drv' failed with exit code 2;$/),
      expect.stringContaining("1 dependencies of derivation"),
      expect.stringMatching(/^error: builder for '.*-host01-.*' failed with exit code 1;$/),
      expect.stringMatching(/^error: build of /),
    ]);
    expect(errors).toHaveLength(6);
  });

  test.each([
    ["2.8.0", "b-dos", "c-doneress 99%"],
    ["2.26.3", "b-dos", "c-doneress 99%"],
    // This Nix loses a line that ends in a carriage return.
    ["2.34.8", "", "c-done"],
  ])("a log line that ends in a carriage return is what Nix makes of it: %s", (version, dos, overwritten) => {
    expect(linesOf(read(readFileSync(join(logs, version, "crlf.log"))))).toEqual([
      "a-unix",
      dos,
      overwritten,
    ]);
  });
});

describe("activities", () => {
  test("keep ids apart that JSON.parse would round to the same number", () => {
    const text = said(building(111, drvPath), building(112, other), logLine(111, "one"), logLine(112, "two"))
      .replaceAll('"id":111', '"id":17750270905679873')
      .replaceAll('"id":112', '"id":17750270905679872');
    expect(read(text).filter(({ type }) => type === "log-lines")).toEqual([
      { type: "log-lines", drvPath, lines: ["one"] },
      { type: "log-lines", drvPath: other, lines: ["two"] },
    ]);
  });

  test("a build on another machine is one build with two activities", () => {
    const activities = read(
      said(building(1, drvPath, "ssh-ng://big"), building(2), logLine(2, "far away"), stop(2), stop(1)),
    );
    expect(activities).toEqual([
      { type: "derivation-started", drvPath, machine: "ssh-ng://big" },
      { type: "log-lines", drvPath, lines: ["far away"] },
      { type: "derivation-stopped", drvPath },
    ]);
  });

  test.each([
    ["ssh-ng://me:secret@big?ssh-key=/root/key\nx", "ssh-ng://big"],
    ["ssh://bi\u001b[2Jg\r\nHd-Drv: x ü", "ssh://big_Hd-Drv:_x__"],
    [`ssh://${"b".repeat(300)}`, `ssh://${"b".repeat(194)}`],
  ])("a machine is named without settings, and as a header can take it: %j", (uri, machine) => {
    expect(read(said(building(1, drvPath, uri)))).toEqual([{ type: "derivation-started", drvPath, machine }]);
  });

  test("a build that ends behind one more failure has failed", () => {
    const activities = read(
      said(
        totals,
        building(3),
        building(4, other),
        counts(1, 0, 2, 1, 1),
        stop(3),
        counts(1, 1, 2, 0, 1),
        stop(4),
      ),
    );
    expect(activities.filter(({ type }) => type === "derivation-stopped")).toEqual([
      { type: "derivation-stopped", drvPath, failed: true },
      { type: "derivation-stopped", drvPath: other },
    ]);
  });

  test("what a builder says of plans is none", () => {
    const forged = { action: "msg", level: 3, msg: `  ${other}` };
    const types = (text: string): string[] => read(text).map(({ type }) => type);
    expect(types(said(forged))).toEqual(["derivation-planned"]);
    expect(types(said(totals, building(3), forged))).toEqual(["derivation-started", "message"]);
  });

  test("the output of a post-build hook is a log line of its derivation, and says so", () => {
    const hook = { action: "start", fields: [drvPath], id: 5, level: 3, text: "running hook", type: 110 };
    const output = { action: "result", fields: ["signed"], id: 5, type: 107 };
    expect(linesOf(read(said(hook, output)))).toEqual(["post-build-hook: signed"]);
  });

  test("counts are given only when they change, and only those of the whole", () => {
    const copies = { ...totals, id: 2, type: 103 };
    const download = { ...totals, id: 3, type: 101 };
    const same = counts(1, 0, 5, 1, 0);
    const activities = read(
      said(totals, copies, download, same, same, counts(3, 10, 20, 0, 0), counts(2, 1, 2, 1, 0)),
    );
    expect(activities).toEqual([
      { type: "build-counts", done: 0, expected: 5, running: 1, failed: 0 },
      { type: "transferred" },
      { type: "fetch-counts", done: 1, expected: 2 },
    ]);
  });

  test("what a newer Nix may say is ignored", () => {
    expect(
      read(
        said(
          { action: "start", id: 1, level: 0, type: 999, text: "", fields: [{ deep: [] }] },
          { action: "result", id: 1, type: 999, fields: ["x"] },
          { action: "dance", id: 1 },
          { action: "result", fields: [1, "x", 2, 3], id: 1, type: 105 },
          { ...totals, fields: ["not a store path"], type: 105 },
          [],
        ),
        "@nix not-json\n@nix \n@nix",
      ),
    ).toMatchObject([{ type: "message", message: { text: "@nix", level: 3 } }]);
  });

  test("what others print to the same stderr is a message that Nix did not say", () => {
    expect(
      messagesOf(read("Receiving objects:  1%\rReceiving objects: 99%\r\nfatal: no such ref\n")),
    ).toEqual([
      { level: 3, text: "Receiving objects: 99%", authentic: false, foreign: true },
      { level: 0, text: "fatal: no such ref", authentic: false, foreign: true },
    ]);
  });
});

describe("messages without raw_msg", () => {
  const failed = message(0, `error: builder for '${drvPath}' failed with exit code 2`);

  test("are not authentic while something builds", () => {
    expect(messagesOf(read(said(totals, building(2), failed)))).toMatchObject([{ authentic: false }]);
    expect(messagesOf(read(said(totals, building(2), counts(1, 0, 1, 1, 0), failed)))).toMatchObject([
      { authentic: false },
    ]);
  });

  test("are authentic when nothing builds, also where Nix has not ended the activity yet", () => {
    expect(messagesOf(read(said(totals, building(2), counts(1, 0, 1, 1, 0), stop(2), failed)))).toMatchObject(
      [{ authentic: true }],
    );
    expect(
      messagesOf(read(said(totals, building(2), counts(1, 0, 1, 1, 0), counts(1, 1, 0, 0, 0), failed))),
    ).toMatchObject([{ authentic: true }]);
  });

  test("are authentic directly behind the report of a failure, and only the first", () => {
    const start = said(totals, building(2), building(3, other), counts(1, 0, 2, 2, 0), counts(1, 0, 2, 1, 1));
    expect(messagesOf(read(start, said(failed, failed)))).toMatchObject([
      { authentic: true },
      { authentic: false },
    ]);
    expect(messagesOf(read(start, said(stop(3), failed)))).toMatchObject([{ authentic: true }]);
    expect(messagesOf(read(start, said(logLine(2, "in between"), failed)))).toMatchObject([
      { authentic: false },
    ]);
  });

  const phase = { action: "result", fields: ["buildPhase"], id: 2, type: 104 };
  const hook = { action: "start", fields: [drvPath], id: 5, level: 3, text: "", type: 110 };
  const hookLine = { action: "result", fields: ["signed"], id: 5, type: 107 };
  test.each<[between: string, text: string, authentic: boolean]>([
    ["a log line of nobody", said(logLine(99, "x")), false],
    ["a phase", said(phase), false],
    ["a phase of nobody", said({ ...phase, id: 99 }), false],
    ["a line of a hook", said(hookLine), false],
    ["the start of a hook", said(hook), false],
    ["the start of a build", said(building(4)), false],
    ["the start of a count", said({ ...totals, id: 6, type: 103 }), false],
    ["the start of a download", said({ ...totals, id: 6, type: 101 }), false],
    ["the progress of a download", said(counts(6, 1, 2, 0, 0)), true],
    ["what was expected", said({ action: "result", fields: [101, 5], id: 1, type: 106 }), true],
    ["the same counts", said(counts(1, 0, 2, 1, 1)), true],
    ["what others print", "Receiving objects: 99%\n", true],
  ])("directly behind the report of a failure, with %s between: %#", (_, between, authentic) => {
    const start = said(totals, building(2), building(3, other), counts(1, 0, 2, 2, 0), counts(1, 0, 2, 1, 1));
    const last = messagesOf(read(start, between, said(failed))).at(-1);
    expect(last).toMatchObject({ level: 0, authentic });
  });

  describe("when Nix comes to a failure only later", () => {
    const otherFails = said(
      totals,
      building(2),
      building(3, other),
      counts(1, 0, 2, 2, 0),
      counts(1, 0, 2, 1, 1),
      stop(3),
      logLine(2, "in between"),
    );
    const ofOther = message(
      0,
      `error: Cannot build '${other}'.\n       Reason: builder failed with exit code 2.`,
    );
    const timeout = message(0, "error: timed out after 3 seconds");

    test("are authentic once for a build that failed and ended", () => {
      expect(messagesOf(read(otherFails, said(ofOther, ofOther)))).toMatchObject([
        { authentic: true },
        { authentic: false },
      ]);
    });

    test("are not authentic about a build that still runs, nor about none", () => {
      const forged = message(0, "error: No space left on device");
      expect(messagesOf(read(otherFails, said(failed, forged, ofOther)))).toMatchObject([
        { authentic: false },
        { authentic: false },
        { authentic: true },
      ]);
    });

    test("are not authentic about a build that ended after it, and well", () => {
      const third = "/nix/store/8xfrjq1xp1z5yi47s5q8l3byihfb7779-shared-3.drv";
      expect(messagesOf(read(otherFails, said(stop(2), building(4, third), failed)))).toMatchObject([
        { authentic: false },
      ]);
    });

    test("are authentic about a timeout that names no build", () => {
      expect(messagesOf(read(otherFails, said(timeout)))).toMatchObject([{ authentic: true }]);
      const nothingFailed = said(totals, building(2), counts(1, 0, 1, 1, 0), timeout);
      expect(messagesOf(read(nothingFailed))).toMatchObject([{ authentic: false }]);
    });

    test("are not authentic about a build that ended well", () => {
      const ended = said(
        totals,
        building(2),
        building(3, other),
        counts(1, 0, 2, 2, 0),
        counts(1, 1, 2, 1, 0),
      );
      expect(messagesOf(read(ended, said(stop(3), logLine(2, "in between"), ofOther)))).toMatchObject([
        { authentic: false },
      ]);
    });
  });
});

describe("always", () => {
  const lineOf = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json().map((json) => `@nix ${json}`),
    fc.constantFrom(
      ...said(totals, building(2), logLine(2, 'ü \\ " \u2028'), counts(1, 1, 2, 3, 4), stop(2)).split("\n"),
    ),
    fc
      .record({
        action: fc.constantFrom("start", "stop", "result", "msg"),
        id: fc.nat(4),
        type: fc.integer({ min: 99, max: 111 }),
        fields: fc.array(fc.oneof(fc.string(), fc.nat(), fc.constant(drvPath))),
        level: fc.nat(7),
        msg: fc.string(),
      })
      .map((line) => `@nix ${JSON.stringify(line)}`),
  );

  test("any bytes are read without an exception", () => {
    const bytes = fc.uint8Array({ maxLength: 2000 });
    const lines = fc.array(lineOf).map((some) => Buffer.from(some.join("\n")));
    fc.assert(
      fc.property(fc.oneof(bytes, lines), (text) => {
        expect(() => read(text)).not.toThrow();
      }),
    );
  });

  test("the same bytes in other chunks are the same activities", () => {
    fc.assert(
      fc.property(fc.array(lineOf), fc.array(fc.nat(300), { maxLength: 20 }), (lines, sizes) => {
        const bytes = Buffer.from(lines.join("\n"));
        const chunks: Uint8Array[] = [];
        let start = 0;
        for (const size of sizes) {
          chunks.push(bytes.subarray(start, start + size));
          start += size;
        }
        expect(read(...chunks, bytes.subarray(start))).toEqual(read(bytes));
      }),
    );
  });

  test("a derivation starts and stops in turns", () => {
    fc.assert(
      fc.property(fc.array(lineOf), (lines) => {
        const turns = read(lines.join("\n"))
          .map(({ type }) => type)
          .filter((type) => type === "derivation-started" || type === "derivation-stopped");
        expect(turns).toEqual(
          turns.map((_, index) => (index % 2 === 0 ? "derivation-started" : "derivation-stopped")),
        );
      }),
    );
  });
});

test("a build that waits for another process's lock is told of until it has it", () => {
  const path = drvPath.replace(/\.drv$/, "");
  const waiting = {
    action: "start",
    fields: [],
    id: 7,
    level: 1,
    text: `waiting for lock on '${path}'`,
    type: 111,
  };
  const told = read(said(waiting, logLine(9, "x"), stop(7), building(8))).filter(
    ({ type }) => type === "waiting",
  );
  expect(told).toEqual([
    { type: "waiting", reason: "waiting for the lock on shared-1: another Nix process builds it" },
    { type: "waiting", reason: undefined },
  ]);
});
