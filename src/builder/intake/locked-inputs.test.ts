import { afterEach, expect, test } from "vitest";
import {
  firstCommit,
  startRig,
  type BuilderRig,
  type RigOptions,
} from "../../../test/support/builder-rig.ts";
import { HomelabError } from "../../base/errors.ts";
import { lockedInputs } from "../../nix/lock/locked-inputs.ts";
import { parseBranchName, parseCommit, parseRepoName } from "../../protocol/names.ts";
import type { Repo } from "../repo.ts";
import { createInputsReader } from "./locked-inputs.ts";

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

test("a lock that cannot be read is read once, and one that a fault kept from us again", async () => {
  const told = [new HomelabError("unavailable", "the disk is gone"), "<<<<<<< ours"];
  let reads = 0;
  const readFile = async (): Promise<string> => {
    const answer = told[reads++];
    if (typeof answer === "string") return answer;
    throw answer ?? new Error("read too often");
  };
  const unused = () => expect.fail("only the file is read");
  const repo: Repo = {
    name: parseRepoName("homelab"),
    branch: parseBranchName("master"),
    mirror: { path: "/m", resolveBranch: unused, ensureCommit: unused, readFile },
    allowImportFromDerivation: false,
    exclusion: () => undefined,
    pollMs: 0,
  };
  const read = createInputsReader(lockedInputs);
  for (let count = 0; count < 4; count++) {
    expect(await read(repo, parseCommit(firstCommit), new AbortController().signal)).toBeUndefined();
  }
  expect(reads).toBe(2);
});
