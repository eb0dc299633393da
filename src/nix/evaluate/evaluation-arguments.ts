// What is evaluated, as arguments of `nix eval`.
import { pathToFileURL } from "node:url";
import type { HostName } from "../../protocol/names.ts";
import { evaluationFlags, nixString } from "../nix-command.ts";
import { sourceMarker } from "./source-marker.ts";
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
  evaluation(target, "builtins.attrNames", ["--show-trace"]);

/**
 * What an evaluator says about its own on stderr, as traces that begin with the token: no flake can say it, for none knows
 * the token. `begun` before anything of the host with that place in the list is evaluated; `threw` where Nix can catch
 * its error; `warns` before its `config.warnings`; `fails` just before it fails by that error; `result` with what it came to,
 * as JSON.
 */
export const marks = {
  begun: "begun ",
  threw: "threw",
  warns: "warns",
  fails: "fails",
  result: "result ",
} as const;

/** Linux gives a program no argument that is longer than 128 KiB (MAX_ARG_STRLEN); the rest is for the expression. */
const longestNames = 100 * 1024;

/** As many of the hosts, from the first on, as one evaluator can be told about. */
export function fittingHosts(hosts: readonly HostName[]): readonly HostName[] {
  let left = longestNames;
  const end = hosts.findIndex((host) => (left -= nixString(host).length + 1) < 0);
  return end < 0 ? hosts : hosts.slice(0, Math.max(1, end));
}

/**
 * Evaluates hosts one after the other, and says about each what it found when it has found it; the first one with an
 * error ends the process by it. Prints nothing of use on stdout.
 *
 * Hosts are taken by name, not by an attribute path: a path is parsed, and names can hold dots and quotes.
 * As JSON, a set with the attribute `outPath` is that string and nothing else: hence `output`.
 * Without its context a string does not make `nix eval` build anything; the derivation is written all the same. The
 * context itself proves that: what a flake merely claims to be a derivation does not have it. toplevel.ts checks it.
 *
 * What is thrown can have the words of anything, also of a fault of the network; but Nix can catch it, and only it. Where it
 * can, the evaluator says so and fails by it all the same, with where the flake's source is in the error's trace.
 *
 * NixOS shows `config.warnings` only where no assertion fails: of a host that throws they are traced here, as far as they
 * do not throw themselves. What of them Nix cannot catch hides the
 * error: see `quiet`.
 *
 * @param token known to nobody but this process and its evaluator
 * @param quiet hosts whose `config.warnings` are left out where they throw
 */
export const hostsArguments = (
  target: EvaluationTarget,
  hosts: readonly HostName[],
  token: string,
  quiet: ReadonlySet<HostName> = new Set(),
): readonly string[] => {
  const { commit, directory: _, ...source } = { ...target.source, directory: undefined };
  // Only an error evaluates this. What was fetched for the flake is fetched no second time.
  const tree = `(builtins.fetchTree ${nixString(flakeReference({ ...source, commit }))}).outPath`;
  return evaluation(
    target,
    `configurations: let
    names = [ ${hosts.map(nixString).join(" ")} ];
    quiet = [ ${[...quiet].map(nixString).join(" ")} ];
    plain = builtins.unsafeDiscardStringContext;
    short = builtins.substring 0 ${longestPath};
    say = text: builtins.trace (${nixString(`${token} `)} + text);
    configOf = name: (builtins.getAttr name configurations).config;
    warningsOf = name:
      let warnings = (configOf name).warnings or [ ];
      in if builtins.isList warnings then map plain (builtins.filter builtins.isString warnings) else [ ];
    resultOf = name:
      let
        toplevel = (configOf name).system.build.toplevel;
        result = {
          drvPath = short (plain toplevel.drvPath);
          instantiated = builtins.hasAttr (plain toplevel.drvPath) (builtins.getContext toplevel.drvPath);
          output = short (plain toplevel.outPath);
        };
      in builtins.deepSeq [ result (warningsOf name) ] result;
    warn = texts: builtins.foldl' (_: text: builtins.trace (builtins.substring 0 ${longestWarning} text) null) null texts;
    evaluate = index:
      let
        name = builtins.elemAt names index;
        caught = builtins.tryEval (resultOf name);
        warned = 
          if builtins.elem name quiet then null else say ${nixString(marks.warns)} (warn (warningsOf name));
        said = say (${nixString(marks.result)} + builtins.toJSON caught.value) null;
        thrown = say ${nixString(marks.threw)} (
          builtins.seq (builtins.tryEval warned).success (say ${nixString(marks.fails)} (resultOf name)));
      in say (${nixString(marks.begun)} + toString index) (builtins.addErrorContext (${nixString(sourceMarker(commit))} + ${tree}) (
        if caught.success then builtins.seq warned said
        else thrown));
    in builtins.foldl' (_: evaluate) null (builtins.genList (index: index) (builtins.length names))`,
    ["--show-trace"],
  );
};

/** Bytes of what claims to be a store path: more than any is long. */
const longestPath = 1000;
/** Bytes of one of `config.warnings` that are told: more than is shown of any. */
const longestWarning = 16_000;
