// Fleets that nobody has evaluated before: as they are in a repository, and what each of their evaluations shares.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { createThrowAwayStore } from "../support/nix-store.ts";

const run = promisify(execFile);
const flakes = join(import.meta.dirname, "../fixtures/cold-fleets");

export interface ColdFleet {
  /** `16 hosts, 80 % shared` */
  readonly name: string;
  readonly hosts: readonly string[];
  /** Of the repository. */
  readonly files: Readonly<Record<string, string>>;
  /**
   * A repository before, with one host and the same inputs. Who builds it has copied and hashed them, which happens once in the
   * life of a machine, and has run the code of a build, which happens once in the life of a daemon.
   */
  readonly before: Readonly<Record<string, string>>;
  /** Hosts of NixOS: bare Nix takes minutes for them. */
  readonly isReal: boolean;
}

/** What one host weighs: about a second of CPU and 200 MiB. */
const weight = { ops: 1_500_000, cells: 300_000 };
const count = 16;

const part = (share: number) => ({
  ops: Math.round(weight.ops * share),
  cells: Math.round(weight.cells * share),
});

/**
 * @param inputs the flake's
 * @param using of the inputs, as arguments of its outputs
 * @param attributes of the derivation, which need the inputs
 */
const flakeBefore = (inputs = "", using = "", attributes = ""): string => `{
  ${inputs}
  outputs = { ${using} ... }: rec {
    toplevels.before = derivation {
      name = "before"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo > $out" ];
      ${attributes}
    };
    nixosConfigurations.before.config.system.build.toplevel = toplevels.before;
  };
}`;

async function syntheticFleet(name: string, shared: number): Promise<ColdFleet> {
  const fleet = { hosts: count, shared: part(shared), own: part(1 - shared) };
  const lock = JSON.stringify({ nodes: { root: {} }, root: "root", version: 7 });
  return {
    name,
    isReal: false,
    before: { "flake.nix": flakeBefore(), "flake.lock": lock },
    hosts: Array.from({ length: count }, (_, index) => `host${String(index + 1).padStart(2, "0")}`),
    files: {
      "flake.nix": await readFile(join(flakes, "synthetic.nix"), "utf8"),
      "fleet.json": JSON.stringify(fleet),
      "flake.lock": lock,
    },
  };
}

/**
 * @param nixpkgs a git checkout, of which the commit that is checked out is taken. A directory alone is copied whole by each
 * process of Nix (2.26), which no input from a server is: what that costs is not evaluation
 */
async function realFleet(nixpkgs: string): Promise<ColdFleet> {
  const head = await run("git", ["-C", nixpkgs, "rev-parse", "HEAD"]).catch((error: unknown) => {
    throw new Error("NIXPKGS has to be a git checkout", { cause: error });
  });
  // By its revision: of a work tree Nix can get another hash than of the commit, by what is not exported.
  const url = `git+${pathToFileURL(resolve(nixpkgs)).href}?rev=${head.stdout.trim()}`;
  const flake = (await readFile(join(flakes, "real.nix"), "utf8")).replace("@nixpkgs@", url);
  const names = ["db", "desktop", "git", "mail", "monitor", "plain", "router", "web"];
  const lock = await lockOf(flake);
  const before = flakeBefore(`inputs.nixpkgs.url = "${url}";`, "nixpkgs,", "inherit (nixpkgs.lib) version;");
  return {
    name: `${names.length} hosts of NixOS`,
    isReal: true,
    hosts: names,
    files: { "flake.nix": flake, "flake.lock": lock },
    before: { "flake.nix": before, "flake.lock": lock },
  };
}

async function lockOf(flake: string): Promise<string> {
  await using store = await createThrowAwayStore();
  const directory = await mkdtemp(join(tmpdir(), "cold-fleet-"));
  try {
    await writeFile(join(directory, "flake.nix"), flake);
    await store.run("nix", "flake", "lock", `path:${directory}`);
    return await readFile(join(directory, "flake.lock"), "utf8");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** @param nixpkgs a directory with nixpkgs, for hosts of NixOS; without it there are none */
export const coldFleets = async (nixpkgs: string | undefined): Promise<readonly ColdFleet[]> => [
  await syntheticFleet(`${count} hosts, 80 % shared`, 0.8),
  await syntheticFleet(`${count} hosts, nothing shared`, 0),
  ...(nixpkgs === undefined ? [] : [await realFleet(nixpkgs)]),
];
