import { expect, test } from "vitest";
import type { Finding } from "../../../cache/finding.ts";
import type { PathProblem } from "../../../narinfo/path-problem.ts";
import type { StorePath } from "../../../protocol/names.ts";
import { verificationExitCode } from "../../commands/cache/cache-verify.ts";
import { createStyle } from "../style.ts";
import { renderVerification, verificationJson, type CacheVerification } from "./cache-verification.ts";

const path = `/nix/store/${"a".repeat(32)}-web` as StorePath;
const style = createStyle({ colour: false, ascii: false });

function result(
  problems: readonly PathProblem[],
  targets = [{ name: "servers/web", path }],
): CacheVerification {
  const findings = problems.map((problem): Finding => ({ path, problem, detail: `it is ${problem}` }));
  const closure = new Map(targets.map((target) => [target.path, { narSize: 1, references: [] }]));
  return {
    targets,
    unbuilt: [],
    url: "http://cache",
    keys: ["k-1"],
    content: "start",
    comparedWithStore: true,
    verification: { closure, findings, asked: closure.size, asSaid: [] },
  };
}
const shown = (verification: CacheVerification): string => renderVerification(verification, { style });

test("nothing asked is no tick", () => {
  const nothing = result([], []);
  expect(shown(nothing)).toContain("? http://cache was asked for nothing");
  expect(shown(nothing)).not.toContain("✓");
  expect(verificationJson(nothing)).toMatchObject({ served: false });
  expect(verificationExitCode(nothing)).toBe(3);
});

test("a refusal is unknown, and says which setting signs in", () => {
  const refused = result(["refused"]);
  expect(shown(refused)).toMatch(/servers\/web\s+\? refused/);
  expect(shown(refused)).toContain("nothing is known about 1 of 1 paths");
  expect(shown(refused)).toContain("cache.netrcFile");
  expect(shown(refused)).not.toContain("✗");
  expect(verificationExitCode(refused)).toBe(4);
});

test.each([
  [[], 0],
  [["unanswered"], 3],
  [["unanswered", "refused"], 4],
  [["refused", "missing"], 1],
] as const)("with %j the exit code is %i", (problems, code) => {
  expect(verificationExitCode(result(problems))).toBe(code);
});
