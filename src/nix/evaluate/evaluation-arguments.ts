// What is evaluated, as arguments of `nix eval`.
import { pathToFileURL } from "node:url";
import type { HostName } from "../../protocol/names.ts";
import { evaluationFlags, nixString } from "../nix-command.ts";
import { sourceMarker } from "./source-marker.ts";
import { hostMarker } from "./evaluation-warnings.ts";
import { isAtLeast } from "../../base/version.ts";
import type { EvaluationOptions, FlakeSource } from "../evaluator.ts";

/**
 * A flake at one commit of a mirror.
 *
 * The ref is there for Nix before 2.20: of a bare repository it fetches the branch `master` where none is given,
 * and finds only commits of what it fetched.
 */
function flakeReference({
  mirror,
  commit,
  directory,
  submodulesOrigin: origin,
}: Omit<FlakeSource, "overrides">): string {
  const query = new URLSearchParams({ ref: `refs/homelab-deploy/${commit}`, rev: commit });
  if (directory !== undefined) query.set("dir", directory);
  if (origin !== undefined) query.set("submodules", "1");
  // Nix takes a `+` for itself, not for a space.
  const encoded = query.toString().replaceAll("+", "%20");
  return `git+${origin ?? pathToFileURL(mirror).href}?${encoded}`;
}

/** The hosts of the flake at one commit. */
export const configurationsOf = (source: FlakeSource): string =>
  `${flakeReference(source)}#nixosConfigurations`;

/**
 * An overridden input takes its own inputs from its own lock only where Nix does not find them in the lock of the
 * flake around it: up to some version before 2.34 these win, and a commit that changes nothing but its lock would
 * change nothing at all. There `--update-input` makes Nix forget them; 2.34 needs it no more and means to drop it.
 */
function overrideFlags({ overrides = [] }: FlakeSource, nixVersion: string): readonly string[] {
  if (overrides.length === 0) return [];
  const keepsOldLock = !isAtLeast(nixVersion, "2.34");
  const overriding = overrides.flatMap((override) => [
    ...(keepsOldLock ? ["--update-input", override.input] : []),
    "--override-input",
    override.input,
    flakeReference(override),
  ]);
  // An override is a change of the lock.
  return ["--no-write-lock-file", ...overriding];
}

export interface EvaluationTarget {
  readonly source: FlakeSource;
  readonly options: EvaluationOptions;
  /** `2.8.0` */
  readonly nixVersion: string;
}

const evaluation = (
  { source, options, nixVersion }: EvaluationTarget,
  apply: string,
  more: readonly string[] = [],
): readonly string[] => [
  "eval",
  "--json",
  ...evaluationFlags(options),
  ...overrideFlags(source, nixVersion),
  ...more,
  "--apply",
  apply,
  "--",
  configurationsOf(source),
];

/** Prints the names of all hosts, and evaluates none. */
export const listingArguments = (target: EvaluationTarget): readonly string[] =>
  evaluation(target, "builtins.attrNames");

// Hosts are taken by name, not by an attribute path: a path is parsed, and names can hold dots and quotes.
// As JSON, a set with the attribute `outPath` is that string and nothing else: hence `output`.
// Without its context a string does not make `nix eval` build anything; the derivation is written all the same. The
// context itself proves that: what a flake merely claims to be a derivation does not have it. toplevel.ts checks it.
const hostFunction = `
  plain = builtins.unsafeDiscardStringContext;
  configOf = name: (builtins.getAttr name configurations).config;
  warningsOf = name:
    let warnings = (configOf name).warnings or [ ];
    in if builtins.isList warnings then map plain (builtins.filter builtins.isString warnings) else [ ];
  host = name:
    let
      toplevel = (configOf name).system.build.toplevel;
      result = {
        drvPath = plain toplevel.drvPath;
        instantiated = builtins.hasAttr (plain toplevel.drvPath) (builtins.getContext toplevel.drvPath);
        output = plain toplevel.outPath;
        warnings = warningsOf name;
      };
    in builtins.deepSeq result result;`;

const results = (hosts: readonly HostName[], value: string): string =>
  `configurations: let ${hostFunction}
    in map (name: { host = name; result = ${value}; }) [ ${hosts.map(nixString).join(" ")} ]`;

/**
 * Prints a result for each host in their order; null for one that threw, as far as Nix can catch that.
 *
 * @param token begins the marker before what a host says: see `hostMarker`
 */
export const batchArguments = (
  target: EvaluationTarget,
  hosts: readonly HostName[],
  token: string,
): readonly string[] => {
  const caught =
    "let caught = builtins.tryEval (host name); in if caught.success then caught.value else null";
  const marked = `builtins.trace (${nixString(hostMarker(token, ""))} + name) (${caught})`;
  return evaluation(target, results(hosts, marked));
};

/** What Nix traces when a host that is evaluated alone threw, before it fails with the host's error. */
export const thrownMark = "homelab-deploy: what follows is thrown by the host";

/**
 * Prints the same for one host, and fails with its error, which says where the flake's source is. What is thrown can have
 * the words of anything, also of a fault of the network; but Nix can catch it, and only it. Where it can, it says so and
 * fails by it all the same.
 *
 * NixOS shows `config.warnings` only where no assertion fails: of a host that throws they are traced here, as far as they
 * do not throw themselves. What of them Nix cannot catch is an error of the host as well.
 */
export const singleArguments = (target: EvaluationTarget, host: HostName): readonly string[] => {
  const { commit, directory: _, ...source } = { ...target.source, directory: undefined };
  // Only an error evaluates this. What was fetched for the flake is fetched no second time.
  const tree = `(builtins.fetchTree ${nixString(flakeReference({ ...source, commit }))}).outPath`;
  const context = `${nixString(sourceMarker(commit))} + ${tree}`;
  const marked = `builtins.addErrorContext (${context}) (
      let
        caught = builtins.tryEval (host name);
        warned = builtins.tryEval (builtins.deepSeq (map (text: builtins.trace text null) (warningsOf name)) null);
        thrown = builtins.trace ${nixString(thrownMark)} (host name);
      in if caught.success then caught.value else builtins.seq warned.success thrown)`;
  return evaluation(target, results([host], marked), ["--show-trace"]);
};
