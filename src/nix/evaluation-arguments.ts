// What is evaluated, as arguments of `nix eval`.
import { pathToFileURL } from "node:url";
import type { HostName } from "../protocol/names.ts";
import { evaluationFlags, nixString } from "./nix-command.ts";
import type { EvaluationOptions, FlakeSource } from "./nix.ts";

/**
 * The hosts of the flake at one commit.
 *
 * The ref is there for Nix before 2.20: of a bare repository it fetches the branch `master` where none is given,
 * and finds only commits of what it fetched.
 */
export function configurationsOf({ mirror, commit, directory }: FlakeSource): string {
  const query = new URLSearchParams({ ref: `refs/homelab-deploy/${commit}`, rev: commit });
  if (directory !== undefined) query.set("dir", directory);
  // Nix takes a `+` for itself, not for a space.
  const encoded = query.toString().replaceAll("+", "%20");
  return `git+${pathToFileURL(mirror).href}?${encoded}#nixosConfigurations`;
}

const evaluation = (
  source: FlakeSource,
  options: EvaluationOptions,
  apply: string,
  more: readonly string[] = [],
): readonly string[] => [
  "eval",
  "--json",
  ...evaluationFlags(options),
  ...more,
  "--apply",
  apply,
  "--",
  configurationsOf(source),
];

/** Prints the names of all hosts, and evaluates none. */
export const listingArguments = (source: FlakeSource, options: EvaluationOptions): readonly string[] =>
  evaluation(source, options, "builtins.attrNames");

// Hosts are taken by name, not by an attribute path: a path is parsed, and names can hold dots and quotes.
// As JSON, a set with the attribute `outPath` is that string and nothing else: hence `output`.
// Without its context a string does not make `nix eval` build anything; the derivation is written all the same.
const hostFunction = `
  plain = builtins.unsafeDiscardStringContext;
  host = name:
    let
      config = (builtins.getAttr name configurations).config;
      toplevel = config.system.build.toplevel;
      warnings = config.warnings or [ ];
      result = {
        drvPath = plain toplevel.drvPath;
        output = plain toplevel.outPath;
        system = toplevel.system;
        warnings = if builtins.isList warnings then map plain (builtins.filter builtins.isString warnings) else [ ];
      };
    in builtins.deepSeq result result;`;

const results = (hosts: readonly HostName[], value: string): string =>
  `configurations: let ${hostFunction}
    in map (name: { host = name; result = ${value}; }) [ ${hosts.map(nixString).join(" ")} ]`;

/** Prints a result for each host in their order; null for one that threw, as far as Nix can catch that. */
export const batchArguments = (
  source: FlakeSource,
  options: EvaluationOptions,
  hosts: readonly HostName[],
): readonly string[] => {
  const caught =
    "let caught = builtins.tryEval (host name); in if caught.success then caught.value else null";
  return evaluation(source, options, results(hosts, caught));
};

/** Prints the same for one host, and fails with its error. */
export const singleArguments = (
  source: FlakeSource,
  options: EvaluationOptions,
  host: HostName,
): readonly string[] => evaluation(source, options, results([host], "host name"), ["--show-trace"]);
