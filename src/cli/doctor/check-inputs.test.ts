import { expect, test } from "vitest";
import { parseFlakeLock } from "../../nix/lock/flake-lock.ts";
import { gitInputs, judgeInput } from "./check-inputs.ts";

const node = (locked: object) => ({ locked, original: locked });
const result = { exitCode: 128, killedBy: undefined, timedOut: false, stdout: "", stderrTail: "" };

test("the git inputs of a lock are tried, each repository once", () => {
  const git = { type: "git", url: "https://git.lan/lib.git", rev: "a".repeat(40) };
  const lock = parseFlakeLock(
    JSON.stringify({
      version: 7,
      root: "root",
      nodes: {
        root: { inputs: { lib: "lib", other: "lib_2", nixpkgs: "nixpkgs" } },
        lib: node(git),
        lib_2: node({ ...git, ref: "next" }),
        nixpkgs: node({ type: "github", owner: "NixOS", repo: "nixpkgs" }),
      },
    }),
  );
  expect(gitInputs(lock)).toEqual([{ name: "lib", url: "https://git.lan/lib.git" }]);
});

test("an input that is refused names the setting, and one that cannot be reached does not", () => {
  const judged = (stderrTail: string) =>
    judgeInput("input lib of r", "https://git.lan/l", { ...result, stderrTail });
  expect(judged("fatal: Authentication failed for 'https://git.lan/l'")).toMatchObject({
    state: "wrong",
    hint: expect.stringContaining("inputs.credentials") as string,
  });
  expect(
    judged("fatal: unable to access 'https://git.lan/l': Could not resolve host: git.lan").hint,
  ).toContain("can be reached");
  expect(judgeInput("input lib of r", "https://git.lan/l", { ...result, exitCode: 0 }).state).toBe("ok");
});
