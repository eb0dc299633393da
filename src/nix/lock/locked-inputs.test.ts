import { expect, test } from "vitest";
import { lockedInputs } from "./locked-inputs.ts";

const rev = "a".repeat(40);
const nixpkgs = { type: "github", owner: "NixOS", repo: "nixpkgs" };
const lock = {
  version: 7,
  root: "root",
  nodes: {
    root: { inputs: { tools: "tools", nixpkgs: "nixpkgs", other: ["nixpkgs"], site: "site" } },
    nixpkgs: {
      locked: { ...nixpkgs, rev, narHash: "sha256-x", lastModified: 1_700_000_000 },
      original: { ...nixpkgs, ref: "nixos-24.05" },
    },
    tools: {
      inputs: { nixpkgs: "nixpkgs" },
      locked: { type: "github", owner: "o", repo: "tools", rev, lastModified: 1 },
      original: { type: "github", owner: "o", repo: "tools", rev },
    },
    site: {
      locked: { type: "path", path: "/srv/site", narHash: "sha256-y", lastModified: 1 },
      original: { type: "path", path: "/srv/site" },
    },
  },
};

test("each input says where it comes from, its state and age, and whether it is pinned; followers are left out", () => {
  expect(lockedInputs(JSON.stringify(lock))).toEqual([
    { input: "nixpkgs", source: "github:NixOS/nixpkgs", rev, madeAt: 1_700_000_000 },
    { input: "site", source: "path:/srv/site", rev: "sha256-y", madeAt: undefined },
    { input: "tools", source: "github:o/tools", rev, madeAt: undefined, isPinned: true },
  ]);
});
