import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { HomelabError } from "../../base/errors.ts";
import { decodeJson } from "../../base/json.ts";
import type { Exec, ExecResult } from "../../process/exec.ts";
import { didYouMean } from "../../protocol/did-you-mean.ts";
import { featureFlags } from "../nix-command.ts";
import type { Environment } from "../nix-environment.ts";
import { isAtLeast } from "../../base/version.ts";
import { evaluationDigest } from "./evaluation-digest.ts";
import { parseMachines, type BuildPlaces } from "./machines.ts";
import { readSettings, type NixConfig } from "./unsafe-settings.ts";

export interface IgnoredSetting {
  readonly name: string;
  /** The setting that was probably meant. */
  readonly meant?: string;
}

/** What this installation of Nix says about itself. */
export interface NixSettings {
  /** `2.8.0` */
  readonly version: string;
  readonly system: string;
  readonly places: BuildPlaces;
  /** How many derivations are built at a time. */
  readonly slots: { readonly here: number; readonly remote: number };
  /** None where Nix may ask none (`substitute = false`). */
  readonly substituters: readonly string[];
  readonly storeDirectory: string;
  /** Where Nix keeps `gcroots`, `db` and `daemon-socket`. */
  readonly stateDirectory: string;
  /** Empty where builds run as who starts them. */
  readonly buildUsersGroup: string;
  readonly allocatesUids: boolean;
  /** The digest of the settings that decide what a flake evaluates to. */
  readonly evaluationDigest: string;
  /** What nix.conf sets and this Nix does not know: it ignores them, with nothing but a warning. */
  readonly ignored: readonly IgnoredSetting[];
  /** The other settings that something here judges. The rest is not kept: it includes access tokens. */
  readonly judged: NixConfig;
}

const setting = <Schema extends v.GenericSchema>(value: Schema) => v.object({ value });

/** The output of `nix config show --json` (`show-config` before 2.20): each setting is an object with a `value`. */
const ConfigOutput = v.object({
  system: setting(v.string()),
  substituters: setting(v.array(v.string())),
  substitute: v.optional(setting(v.boolean()), { value: true }),
  "extra-platforms": v.optional(setting(v.array(v.string())), { value: [] }),
  "max-jobs": v.optional(setting(v.union([v.number(), v.string()])), { value: 1 }),
  builders: v.optional(setting(v.string()), { value: "" }),
  "build-users-group": v.optional(setting(v.string()), { value: "" }),
  "auto-allocate-uids": v.optional(setting(v.boolean()), { value: false }),
});
type ConfigOutput = v.InferOutput<typeof ConfigOutput>;
const AllSettings = v.record(v.string(), v.looseObject({ value: v.optional(v.unknown()) }));
type AllSettings = v.InferOutput<typeof AllSettings>;

const startDeadlineMs = 60_000;
const installHint =
  "install Nix 2.8 or newer (https://nixos.org/download), and see that `nix --version` works for this user";

/**
 * Asks Nix for its version and settings.
 *
 * @throws HomelabError `unavailable` with code `NIX_MISSING` or `NIX_BROKEN`.
 */
export async function readNixSettings(
  exec: Exec,
  env: Environment,
  signal: AbortSignal,
): Promise<NixSettings> {
  const run = async (...args: string[]) =>
    exec("nix", args, { env, signal, cwd: "/", timeoutMs: startDeadlineMs });
  const versionOutput = await run("--version").catch((error: unknown): never => {
    if (error instanceof HomelabError && error.code === "PROGRAM_MISSING") {
      throw new HomelabError("unavailable", "Nix is not installed, or not in PATH", {
        code: "NIX_MISSING",
        hint: installHint,
        cause: error,
      });
    }
    throw error;
  });
  const version = parseVersion(versionOutput.stdout);
  if (version === undefined) throw broken("nix --version", versionOutput.stdout + versionOutput.stderrTail);

  const { all, said } = await readConfig(run, version);
  const parsed = v.safeParse(ConfigOutput, all);
  if (!parsed.success) throw broken("nix show-config --json", v.summarize(parsed.issues));
  const config = parsed.output;

  const store = await run(...featureFlags, "eval", "--raw", "--expr", "builtins.storeDir");
  if (store.exitCode !== 0 || !store.stdout.startsWith("/")) {
    throw broken("nix eval --expr builtins.storeDir", store.stderrTail);
  }
  const places = placesOf(config, await readMachines(config.builders.value));
  return {
    version,
    system: config.system.value,
    places,
    slots: {
      // `auto` is a number there, as far as is known.
      here: Math.floor(Number(config["max-jobs"].value)) || 0,
      remote: places.machines.reduce((sum, { jobs }) => sum + jobs, 0),
    },
    substituters: config.substitute.value ? config.substituters.value : [],
    storeDirectory: store.stdout.trim(),
    stateDirectory: env["NIX_STATE_DIR"] ?? "/nix/var/nix",
    buildUsersGroup: config["build-users-group"].value,
    allocatesUids: config["auto-allocate-uids"].value,
    evaluationDigest: evaluationDigest(
      Object.fromEntries(Object.entries(all).map(([name, { value }]) => [name, value])),
    ),
    ignored: ignoredSettings(said, Object.keys(all)),
    judged: Object.fromEntries(
      readSettings.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name].value]])),
    ),
  };
}

/** `2.8.0` of `nix (Nix) 2.8.0`, `nix (Lix, like Nix) 2.91.1` or `nix (Determinate Nix 3.6.2) 2.29.0`. */
export const parseVersion = (output: string): string | undefined =>
  /^nix .*?(?<version>\d+\.\d+\S*)\s*$/m.exec(output)?.groups?.["version"];

type Run = (...args: string[]) => Promise<ExecResult>;

/** Every setting as an object with its `value`, and what Nix said beside them. @throws HomelabError `unavailable` with code `NIX_BROKEN` */
async function readConfig(
  run: Run,
  version: string,
): Promise<{ readonly all: AllSettings; readonly said: string }> {
  // The old name first where it is the only one; forks of Nix count their versions in their own way.
  const names = [["config", "show"], ["show-config"]];
  let said = "";
  for (const name of isAtLeast(version, "2.20") ? names : names.toReversed()) {
    const { exitCode, stdout, stderrTail } = await run(...featureFlags, ...name, "--json");
    const config = exitCode === 0 ? decodeJson(AllSettings, stdout) : undefined;
    if (config !== undefined) return { all: config, said: stderrTail };
    said ||= stderrTail;
  }
  throw broken("nix show-config --json", said);
}

/** @param said by Nix 2.8 to 2.34: `warning: unknown setting 'substitutors'` */
export function ignoredSettings(said: string, known: readonly string[]): readonly IgnoredSetting[] {
  const names = [...said.matchAll(/^warning: unknown setting '(?<name>[^'\n]{1,200})'/gm)].map(
    ({ groups }) => groups?.["name"] ?? "",
  );
  return [...new Set(names)].map((name) => {
    const meant = didYouMean(name, known);
    return { name, ...(meant === undefined ? {} : { meant }) };
  });
}

/** What is built here, unless `max-jobs` is 0, and on the remote builders. */
export function placesOf(
  config: Pick<ConfigOutput, "system" | "extra-platforms" | "max-jobs">,
  machines: string,
): BuildPlaces {
  const nothingHere = Number(config["max-jobs"].value) === 0;
  return {
    here: nothingHere ? [] : [config.system.value, ...config["extra-platforms"].value],
    machines: parseMachines(machines, config.system.value),
  };
}

/** The lines of `builders`, with those of the files that it names as `@path`. A missing file has none. */
async function readMachines(builders: string): Promise<string> {
  const parts = builders.split(/[\n;]/).map(async (line) => {
    const entry = line.trim();
    return entry.startsWith("@") ? readFile(entry.slice(1), "utf8").catch(() => "") : entry;
  });
  return (await Promise.all(parts)).join("\n");
}

/** How Nix 2.8 and 2.34 report a configuration line that they cannot read, or whose value is not of the setting's type. */
const unreadable = /configuration line|setting '[^']*' has invalid value|configuration setting '/;

export const broken = (command: string, said: string): HomelabError =>
  new HomelabError("unavailable", `Nix does not work here: \`${command}\` gave no answer`, {
    code: "NIX_BROKEN",
    hint: unreadable.test(said)
      ? "correct nix.conf, or NIX_CONFIG in the environment, where Nix says"
      : installHint,
    cause: new Error(
      said
        .replace(/^Try '.*' for more information\.$/m, "")
        .trim()
        .slice(-500) || "it printed nothing",
    ),
  });
