// What people run without homelab-deploy, as baselines: `nix build`, with Nix's own evaluation cache.
import { pathToFileURL } from "node:url";
import type { Commit } from "../../src/protocol/names.ts";
import type { ThrowAwayStore } from "../support/nix-store.ts";
import { costOf, type Cost } from "./measure.ts";

export interface FlakeAt {
  /** Path of a bare repository with the branch `main`. */
  readonly bare: string;
  readonly commit: Commit;
}

export const hostNames = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `host${String(index + 1).padStart(2, "0")}`);

const installableOf = ({ bare, commit }: FlakeAt, host: string): string =>
  `git+${pathToFileURL(bare).href}?ref=main&rev=${commit}#nixosConfigurations.${host}.config.system.build.toplevel`;

/**
 * The script that homelab-deploy takes the place of: one `nix build` for each host in turn.
 *
 * @param options such as `--option eval-cache false`
 */
export const buildInTurn = async (
  store: ThrowAwayStore,
  flake: FlakeAt,
  hosts: readonly string[],
  options: readonly string[] = [],
): Promise<Cost> =>
  costOf(async () => {
    for (const host of hosts) {
      await store.run("nix", "build", "--no-link", ...options, installableOf(flake, host));
    }
  });

/** One `nix build` of all hosts. */
export const buildAtOnce = async (
  store: ThrowAwayStore,
  flake: FlakeAt,
  hosts: readonly string[],
): Promise<Cost> =>
  costOf(async () =>
    store.run("nix", "build", "--no-link", ...hosts.map((host) => installableOf(flake, host))),
  );

/** Evaluates the hosts, one after the other, and gives their toplevels' derivations. */
export async function derivationsOf(
  store: ThrowAwayStore,
  flake: FlakeAt,
  hosts: readonly string[],
): Promise<readonly string[]> {
  const drvPaths: string[] = [];
  for (const host of hosts)
    drvPaths.push(await store.run("nix", "eval", "--raw", `${installableOf(flake, host)}.drvPath`));
  return drvPaths;
}

/** Builds one host's derivation and throws away all that Nix says of it, as it says it to homelab-deploy. */
export async function realiseUnread(store: ThrowAwayStore, flake: FlakeAt, host: string): Promise<Cost> {
  const drvPath = await store.run("nix", "eval", "--raw", `${installableOf(flake, host)}.drvPath`);
  const script = 'exec nix-store --realise --log-format internal-json -v -- "$1" 2>/dev/null';
  return costOf(async () => store.run("sh", "-c", script, "sh", drvPath));
}
