import { expect, test } from "vitest";
import { anUpdateEvent } from "../../../test/support/builds.ts";
import { parseCommit, parseRepoName } from "../../protocol/names.ts";
import { inputsOf } from "./inputs-page.ts";

const repo = parseRepoName("homelab");
const landedAt = parseCommit("c".repeat(40));
const landed = {
  ...anUpdateEvent,
  repo,
  outcome: "landed" as const,
  inputs: ["nixpkgs", "gone"],
  commit: landedAt,
};
const nixpkgs = { input: "nixpkgs", source: "github:NixOS/nixpkgs", rev: "a".repeat(40) };
const tools = { input: "tools", source: "github:o/tools", isPinned: true as const };

test("an input has its lock, the last update that moved it, and why it cannot be reached", () => {
  const unavailable = { input: "tools", reason: "not found", runs: 3, needsPerson: true };
  const failed = {
    ...anUpdateEvent,
    repo,
    outcome: "failed" as const,
    inputs: [],
    unavailable: [unavailable],
  };
  expect(inputsOf(repo, [nixpkgs, tools], [landed, failed as never])).toMatchObject([
    { input: "nixpkgs", locked: nixpkgs, movedAt: landed.at, commit: landedAt },
    { input: "tools", locked: tools, unavailable: { runs: 3 } },
  ]);
});

test("inputs that are no longer in the lock are left out, but not where no build tells the lock", () => {
  expect(inputsOf(repo, [nixpkgs], [landed]).map(({ input }) => input)).toEqual(["nixpkgs"]);
  expect(inputsOf(repo, undefined, [landed]).map(({ input }) => input)).toEqual(["gone", "nixpkgs"]);
});
