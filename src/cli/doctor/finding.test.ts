import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import { findingOf, mergeFindings, ok, wrong } from "./finding.ts";

test("findings of one cause are one, which says what else has it", () => {
  const away = (check: string) => wrong(check, "git.lan is away", "start it", { cause: "git.lan" });
  const other = wrong("cache", "not signed", "sign it");
  expect(
    mergeFindings([ok("git", "2.47"), away("repo a"), other, away("repo b"), away("forge of a")]),
  ).toEqual([ok("git", "2.47"), { ...away("repo a"), concerns: ["repo b", "forge of a"] }, other]);
});

test("what is thrown has its code, its causes and something to do", () => {
  const cause = new Error("ECONNREFUSED");
  const error = new HomelabError("unavailable", "unreachable", { code: "X_Y", hint: "start it", cause });
  expect(findingOf("NATS server", error)).toEqual({
    check: "NATS server",
    state: "wrong",
    message: "unreachable: ECONNREFUSED",
    hint: "start it",
    code: "X_Y",
  });
  expect(findingOf("git", new Error("odd")).hint).toContain("--debug");
});
