import { expect, test } from "vitest";
import { lockOf } from "../../../test/support/flake-locks.ts";
import { registryInputs } from "./registry-inputs.ts";

const indirect = { type: "indirect", id: "nixpkgs" };
const atForge = { type: "github", owner: "NixOS", repo: "nixpkgs", rev: "1".repeat(40) };

test.each([
  ["a repository that a registry gave", indirect, atForge, "github:NixOS/nixpkgs/BRANCH"],
  [
    "a branch that flake.nix names",
    { ...indirect, ref: "nixos-24.05" },
    atForge,
    "github:NixOS/nixpkgs/nixos-24.05",
  ],
  [
    "a forge of one's own",
    { ...indirect, ref: "main" },
    { ...atForge, type: "gitlab", host: "git.lan", owner: "a%2Fb" },
    "gitlab:a%2Fb/nixpkgs/main?host=git.lan",
  ],
  ["a path of this machine", indirect, { type: "path", path: "/nix/store/x" }, "github:NixOS/nixpkgs/BRANCH"],
  [
    "another one",
    { ...indirect, id: "tool" },
    { type: "path", path: "/x" },
    "github:OWNER/REPOSITORY/BRANCH",
  ],
  [
    "what is no name",
    { ...indirect, ref: '"; evil' },
    { ...atForge, owner: "${evil}" },
    "github:NixOS/nixpkgs/BRANCH",
  ],
])("of %s it says what to write instead", (_, original, locked, url) => {
  const lock = lockOf({ nixpkgs: { original, locked } });
  expect(registryInputs(lock)).toEqual([{ input: "nixpkgs", advice: `inputs.nixpkgs.url = "${url}";` }]);
});

test("an input that flake.nix names a place for is none", () => {
  expect(registryInputs(lockOf({ nixpkgs: { original: atForge, locked: atForge } }))).toEqual([]);
});
