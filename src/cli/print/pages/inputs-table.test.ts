import fc from "fast-check";
import { expect, test } from "vitest";
import { commitOf, lockOf, node } from "../../../../test/support/flake-locks.ts";
import { parseCommit, parseRepoName } from "../../../protocol/names.ts";
import { renderInputs, summarizeInputs } from "./inputs-table.ts";
import { plainStyle } from "../style.ts";

const repo = parseRepoName("nixos-servers");
const commit = parseCommit("a".repeat(40));
const day = 86_400;
const print = { style: plainStyle, now: new Date((1_700_000_000 + 12 * day) * 1000) };

/** States are seconds after a common beginning. */
const lockAt = (nixpkgs: number, extra: object = {}) =>
  lockOf({
    root: {
      inputs: { nixpkgs: "nixpkgs", "home-manager": "home-manager", pkgs: ["home-manager", "nixpkgs"] },
    },
    nixpkgs: node("nixpkgs", undefined, nixpkgs),
    "home-manager": node("home-manager", { nixpkgs: "nixpkgs" }, 0),
    ...extra,
  });

test("every input has its source, revision and age; one that follows another says which", () => {
  const lines = renderInputs(summarizeInputs({ repo, commit, lock: lockAt(day) }), print).split("\n");
  const revision = (name: string): string => commitOf(`${name} ${name === "nixpkgs" ? day : 0}`).slice(0, 7);
  expect(lines).toEqual([
    "Input         Source                        Revision  Age",
    `home-manager  github:owner/home-manager     ${revision("home-manager")}   12 d ago`,
    `nixpkgs       github:owner/nixpkgs          ${revision("nixpkgs")}   11 d ago`,
    `pkgs          follows home-manager/nixpkgs  ${revision("nixpkgs")}   11 d ago`,
    "",
  ]);
});

test.each([
  ["the same", lockAt(0), { state: "up-to-date" }, "up to date"],
  [
    "nine days and an hour newer",
    lockAt(9 * day + 3600),
    { state: "behind", seconds: 9 * day + 3600 },
    "behind 9 d",
  ],
  ["an hour newer", lockAt(3600), { state: "behind" }, "behind less than a day"],
  ["older", lockAt(-2 * day), { state: "moved-back", seconds: 2 * day }, "moved back 2 d"],
  ["not known", "unknown" as const, { state: "unknown" }, "no answer"],
])("upstream that is %s", (_, newest, upstream, text) => {
  const [, nixpkgs, follower] = summarizeInputs({ repo, commit, lock: lockAt(0), newest });
  expect(nixpkgs?.upstream).toMatchObject(upstream);
  expect(follower).not.toHaveProperty("upstream");
  expect(nixpkgs && renderInputs([nixpkgs], print)).toContain(text);
});

test("what an input says of itself cannot leave its line or control the terminal", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.maxSafeInteger(), (foreign, lastModified) => {
      const evil = {
        locked: { type: foreign, url: foreign, rev: foreign, lastModified },
        original: { type: "git" },
      };
      const lock = lockOf({ evil });
      const text = renderInputs(summarizeInputs({ repo, commit, lock }), print);
      expect(text.split("\n")).toHaveLength(3);
      // oxlint-disable-next-line no-control-regex
      expect(text.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    }),
  );
});

test("no inputs is said, not shown as an empty table", () => {
  expect(renderInputs([], print)).toBe("the flakes have no inputs\n");
});
