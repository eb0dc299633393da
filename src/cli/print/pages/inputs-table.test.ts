import fc from "fast-check";
import { expect, test } from "vitest";
import { commitOf, lockOf, node } from "../../../../test/support/flake-locks.ts";
import { parseCommit, parseRepoName } from "../../../protocol/names.ts";
import { notesOf, renderNotes } from "./input-notes.ts";
import { renderInputs, summarizeInputs, type InputSummary } from "./inputs-table.ts";
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
  const lock = lockAt(0);
  const asked = newest === "unknown" ? newest : { fitted: lock, full: newest, unavailable: new Map() };
  const [, nixpkgs, follower] = summarizeInputs({ repo, commit, lock, newest: asked });
  expect(nixpkgs?.upstream).toMatchObject(upstream);
  expect(follower).not.toHaveProperty("upstream");
  expect(nixpkgs && renderInputs([nixpkgs], print)).toContain(text);
});

const gone = { kind: "failed" } as const;
const down = { kind: "unavailable" } as const;
const textOf = (inputs: readonly InputSummary[], input: string): string =>
  renderInputs(
    inputs.filter((each) => each.input === input),
    print,
  ).split("\n")[1] ?? "";

test("each input has its own answer, and one that stays because it cannot be reached is not up to date", () => {
  const [before, after] = [0, day].map((moved) =>
    lockOf(
      Object.fromEntries(
        ["a", "b", "c", "d"].map((name) => [name, node(name, undefined, name === "d" ? moved : 0)]),
      ),
    ),
  );
  if (before === undefined || after === undefined) throw new Error("there are two");
  const unavailable = new Map<string, typeof down | typeof gone>([
    ["a", down],
    ["b", gone],
  ]);
  const inputs = summarizeInputs({
    repo,
    commit,
    lock: before,
    newest: { fitted: before, full: after, unavailable },
  });
  expect(inputs.map(({ upstream }) => upstream?.state)).toEqual([
    "unknown",
    "failed",
    "up-to-date",
    "behind",
  ]);
  expect(["a", "b", "c", "d"].map((name) => textOf(inputs, name).replace(/^.*ago +/, ""))).toEqual([
    "no answer",
    "cannot be updated",
    "up to date",
    "behind 1 d",
  ]);
  const none = { fitted: before, full: undefined, unavailable: new Map([["a", down]]) };
  expect(
    summarizeInputs({ repo, commit, lock: before, newest: none }).map(({ upstream }) => upstream?.state),
  ).toEqual(["unknown", "unknown", "unknown", "unknown"]);
});

test("what moves below an input without a lock of its own is behind", () => {
  const at = (state: number) =>
    lockOf({
      root: { inputs: { tool: "tool" } },
      tool: node("tool", { deep: "deep" }),
      deep: node("deep", undefined, state),
    });
  const newest = { fitted: at(1), full: at(2), unavailable: new Map() };
  const inputs = summarizeInputs({ repo, commit, lock: at(1), newest });
  expect(inputs[0]?.upstream).toMatchObject({ state: "behind", below: ["tool/deep"] });
  expect(textOf(inputs, "tool")).toMatch(/behind by tool\/deep$/);
});

test("what flake.nix declares and flake.lock does not have is not locked, and the other way round", () => {
  const lock = lockOf({ a: node("a"), old: node("old"), moved: node("moved") });
  const moved = { ...node("moved"), original: { type: "github", owner: "owner", repo: "elsewhere" } };
  const fitted = lockOf({ a: node("a"), fresh: node("fresh"), moved });
  const inputs = summarizeInputs({
    repo,
    commit,
    lock,
    newest: { fitted, full: fitted, unavailable: new Map() },
  });
  expect(inputs.map(({ input, upstream }) => [input, upstream?.state])).toEqual([
    ["a", "up-to-date"],
    ["fresh", "not-locked"],
    ["moved", "not-locked"],
    ["old", "not-declared"],
  ]);
  expect(inputs.find(({ input }) => input === "fresh")).not.toHaveProperty("rev");
  expect(textOf(inputs, "fresh")).toMatch(/^fresh {2}github:owner\/fresh +not locked$/);
});

test.each([1, 0, -5, 9_999_999_999, undefined])("the time %j of a lock is no age", (lastModified) => {
  const store = { type: "path", path: "/nix/store/x", narHash: "sha256-x", lastModified };
  const lock = lockOf({ data: { locked: store, original: store, flake: false } });
  const inputs = summarizeInputs({ repo, commit, lock });
  expect(inputs[0]).not.toHaveProperty("lastModified");
  expect(textOf(inputs, "data")).toMatch(/ unknown$/);
});

test("inputs that a registry decides, or that follow nothing, are said with what to do", () => {
  const indirect = { ...node("nixpkgs"), original: { type: "indirect", id: "nixpkgs" } };
  const lock = lockOf({
    root: { inputs: { nixpkgs: "nixpkgs", tool: "tool", lost: ["gone"] } },
    nixpkgs: indirect,
    tool: node("tool", { pkgs: ["nixpkgs-old"] }),
  });
  expect(summarizeInputs({ repo, commit, lock }).map(({ input, follows }) => [input, follows])).toEqual([
    ["lost", "gone"],
    ["nixpkgs", undefined],
    ["tool", undefined],
  ]);
  expect(renderNotes(notesOf(repo, lock), plainStyle).split("\n")).toEqual([
    expect.stringMatching(
      /^note: flake.nix gives no URL for nixpkgs, .*; write into flake.nix: inputs\.nixpkgs\.url = "github:owner\/nixpkgs\/BRANCH"; \(BRANCH: the one that you mean\)$/,
    ),
    "note: lost follows gone, which flake.lock does not have; run nix flake lock to fix it",
    "note: tool/pkgs follows nixpkgs-old, which flake.lock does not have; run nix flake lock to fix it",
    "",
  ]);
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
