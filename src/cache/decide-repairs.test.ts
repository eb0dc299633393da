import { expect, test } from "vitest";
import type { StorePath } from "../protocol/names.ts";
import { decideRepairs } from "./decide-repairs.ts";
import type { Finding } from "./finding.ts";
import { pathProblems } from "../narinfo/path-problem.ts";

const findings = pathProblems.map((problem): Finding => ({
  path: `/nix/store/${problem}` as StorePath,
  problem,
  detail: "",
}));
const problemsOf = (paths: Iterable<string>): readonly string[] => [...paths].map((path) => path.slice(11));

test("of a cache that serves this store, signatures are added and damage is restored here", () => {
  const { sign, restore, copy, left } = decideRepairs(findings, { canSign: true, canCopy: false });
  expect(problemsOf(sign)).toEqual(["unsigned", "wrongly-signed"]);
  expect(problemsOf(restore)).toEqual(["corrupt"]);
  expect(copy).toEqual([]);
  expect(problemsOf(left.keys())).toEqual(["missing", "stale", "refused", "unanswered"]);
});

test("of one that has a store of its own, everything is copied, and nothing that it says is signed", () => {
  const { sign, restore, copy, left } = decideRepairs(findings, { canSign: true, canCopy: true });
  expect([sign, restore]).toEqual([[], []]);
  expect(problemsOf(copy)).toEqual(["missing", "unsigned", "wrongly-signed", "corrupt", "stale"]);
  expect(problemsOf(left.keys())).toEqual(["refused", "unanswered"]);
});

test("without a key nothing is signed, and that is said", () => {
  const { sign, left } = decideRepairs(findings, { canSign: false, canCopy: false });
  expect(sign).toEqual([]);
  expect(left.get("/nix/store/unsigned" as StorePath)).toContain("--key-file");
});
