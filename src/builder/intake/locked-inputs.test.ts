import { afterEach, expect, test } from "vitest";
import {
  firstCommit,
  startRig,
  type BuilderRig,
  type RigOptions,
} from "../../../test/support/builder-rig.ts";
import { parseCommit } from "../../protocol/names.ts";

let running: BuilderRig | undefined;
afterEach(async () => running?.stop());

async function sourceOf(options: RigOptions, rev?: string): Promise<unknown> {
  running = await startRig({ repos: { homelab: { web01: {} } }, ...options });
  const id = await running.ask("homelab/all", rev === undefined ? {} : { rev: parseCommit(rev) });
  await running.verdict(id);
  const [accepted] = await running.bus.readEvents(id, 0, new AbortController().signal);
  return accepted?.type === "accepted" ? accepted.sources[0] : undefined;
}

const rev = "a".repeat(40);
const lock = JSON.stringify({
  version: 7,
  root: "root",
  nodes: {
    root: { inputs: { nixpkgs: "nixpkgs" } },
    nixpkgs: {
      locked: { type: "github", owner: "NixOS", repo: "nixpkgs", rev, lastModified: 1_700_000_000 },
      original: { type: "github", owner: "NixOS", repo: "nixpkgs" },
    },
  },
});
const inputs = [{ input: "nixpkgs", source: "github:NixOS/nixpkgs", rev, madeAt: 1_700_000_000 }];

test("a build of the tip tells what its inputs are locked to", async () => {
  expect(await sourceOf({ locks: { homelab: lock } })).toMatchObject({ commit: firstCommit, inputs });
});

test("a build of another commit does not: nobody compares it", async () => {
  const source = await sourceOf({ locks: { homelab: lock } }, "b".repeat(40));
  expect(source).toMatchObject({ tip: false });
  expect(source).not.toHaveProperty("inputs");
});

test.each([
  ["no lock", {}],
  ["a lock that cannot be read", { locks: { homelab: "<<<<<<< ours" } }],
])("with %s the build goes on, and tells nothing", async (_, options) => {
  expect(await sourceOf(options)).not.toHaveProperty("inputs");
});
