import { describe, expect, test } from "vitest";
import { addSign, isAuthentic, noEvidence, type Evidence, type Sign } from "./authenticity.ts";

const drvPath = "/nix/store/w9sgi6bq7qx3diwagw96bmppim34572a-shared-1.drv";
const other = "/nix/store/7xfrjq1xp1z5yi47s5q8l3byihfb7779-shared-2.drv";
const said = (text: string): { level: number; text: string; own: boolean } => ({
  level: 0,
  text,
  own: false,
});
const failed = said(`error: builder for '${drvPath}' failed with exit code 2`);
const ofOther = said(`error: Cannot build '${other}'.\n       Reason: builder failed with exit code 2.`);
const timeout = said("error: timed out after 3 seconds");

const after = (...signs: readonly Sign[]): Evidence => signs.reduce(addSign, noEvidence);
const started = (building: number): Sign => ({ type: "build-started", building });
const stopped = (building: number, path = other): Sign => ({
  type: "build-stopped",
  building,
  drvPath: path,
});
const counted = (running: number, failures = 0): Sign => ({ type: "counted", running, failed: failures });
const twoBuild = [started(1), started(2), counted(2)] as const;

test("what only Nix's own errors have is enough", () => {
  expect(isAuthentic(after(...twoBuild), { ...failed, own: true })).toBe(true);
});

describe("a message without it", () => {
  test("is not authentic while something builds, also before that is counted", () => {
    expect(isAuthentic(after(started(1)), failed)).toBe(false);
    expect(isAuthentic(after(started(1), counted(1)), failed)).toBe(false);
    expect(isAuthentic(after(started(1), counted(1), counted(0), started(2)), failed)).toBe(false);
  });

  test("is authentic when nothing builds, also where Nix has not ended the activity yet", () => {
    expect(isAuthentic(noEvidence, failed)).toBe(true);
    expect(isAuthentic(after(started(1), counted(1), stopped(0)), failed)).toBe(true);
    expect(isAuthentic(after(started(1), counted(1), counted(0)), failed)).toBe(true);
    expect(isAuthentic(after(started(1), { type: "counted-again" }), failed)).toBe(true);
  });

  test.each<[between: string, signs: readonly Sign[], authentic: boolean]>([
    ["nothing", [], true],
    ["the end of a build", [stopped(1)], true],
    ["the same counts", [{ type: "counted-again" }], true],
    ["other counts", [counted(2, 1)], true],
    ["a message", [{ type: "message", message: failed }], false],
    ["a log line, a phase or a start of something else", [{ type: "other" }], false],
    ["the start of a build", [started(3)], false],
  ])("is authentic behind the report of a failure with %s between: %#", (_, signs, authentic) => {
    expect(isAuthentic(after(...twoBuild, counted(1, 1), ...signs), failed)).toBe(authentic);
  });
});

describe("when Nix comes to a failure only later", () => {
  const otherFailed = [...twoBuild, counted(1, 1), stopped(1), { type: "other" }] as const;

  test("a message is authentic once for a build that failed and ended", () => {
    const evidence = after(...otherFailed);
    expect(isAuthentic(evidence, ofOther)).toBe(true);
    const explained = addSign(evidence, { type: "message", message: ofOther });
    expect(isAuthentic(explained, ofOther)).toBe(false);
  });

  test("what was explained by an error of Nix's own cannot be said again", () => {
    const own = { ...ofOther, own: true };
    expect(isAuthentic(after(...otherFailed, { type: "message", message: own }), ofOther)).toBe(false);
  });

  test("not about a build that still runs, nor about none, nor below an error", () => {
    const evidence = after(...otherFailed);
    expect(isAuthentic(evidence, failed)).toBe(false);
    expect(isAuthentic(evidence, said("error: No space left on device"))).toBe(false);
    expect(isAuthentic(evidence, { ...ofOther, level: 1 })).toBe(false);
  });

  test("a message about another leaves it unexplained", () => {
    expect(isAuthentic(after(...otherFailed, { type: "message", message: failed }), ofOther)).toBe(true);
  });

  test("a timeout that names no build is authentic while a failure is unexplained", () => {
    expect(isAuthentic(after(...otherFailed), timeout)).toBe(true);
    expect(isAuthentic(after(...twoBuild), timeout)).toBe(false);
  });

  test("only the build that ends next has failed", () => {
    const ended = [...twoBuild, counted(1, 1), stopped(1), stopped(1, drvPath), started(2), counted(1, 1)];
    expect(isAuthentic(after(...ended), failed)).toBe(false);
    expect(isAuthentic(after(...ended), ofOther)).toBe(true);
  });

  test("a build that ended well explains nothing", () => {
    expect(isAuthentic(after(...twoBuild, counted(1), stopped(1), { type: "other" }), ofOther)).toBe(false);
  });
});

test("what says nothing new is the same evidence", () => {
  const evidence = after(...twoBuild);
  for (const sign of [
    { type: "other" },
    { type: "counted-again" },
    counted(2),
    { type: "message", message: failed },
  ] satisfies Sign[]) {
    expect(addSign(evidence, sign)).toBe(evidence);
  }
});
