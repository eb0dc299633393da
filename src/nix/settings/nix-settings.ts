import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { HomelabError } from "../../base/errors.ts";
import { decodeJson } from "../../base/json.ts";
import type { Exec, ExecResult } from "../../process/exec.ts";
import { featureFlags } from "../nix-command.ts";
import type { Environment } from "../nix-environment.ts";
import { isAtLeast } from "../../base/version.ts";
import { evaluationDigest } from "./evaluation-digest.ts";
import { parseMachines, type BuildPlaces } from "./machines.ts";
import { judgedSettings, type NixConfig } from "./unsafe-settings.ts";

/** What this installation of Nix says of itself. */
export interface NixSettings {
  /** `2.8.0` */
  readonly version: string;
  readonly system: string;
  readonly places: BuildPlaces;
  /** None where Nix may ask none (`substitute = false`). */
  readonly substituters: readonly string[];
  readonly storeDirectory: string;
  /** Where Nix keeps `gcroots`, `db` and `daemon-socket`. */
  readonly stateDirectory: string;
  /** Empty where builds run as who starts them. */
  readonly buildUsersGroup: string;
  readonly allocatesUids: boolean;
  /** Of the settings that decide what a flake evaluates to. */
  readonly evaluationDigest: string;
  /** Of all others those that somebody judges: among the rest are access tokens. */
  readonly judged: NixConfig;
}

const setting = <Schema extends v.GenericSchema>(value: Schema) => v.object({ value });

/** Of `nix config show --json` (`show-config` before 2.20): each setting is an object with a `value`. */
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

  const all = await readConfig(run, version);
  const parsed = v.safeParse(ConfigOutput, all);
  if (!parsed.success) throw broken("nix show-config --json", v.summarize(parsed.issues));
  const config = parsed.output;

  const store = await run(...featureFlags, "eval", "--raw", "--expr", "builtins.storeDir");
  if (store.exitCode !== 0 || !store.stdout.startsWith("/")) {
    throw broken("nix eval --expr builtins.storeDir", store.stderrTail);
  }
  return {
    version,
    system: config.system.value,
    places: placesOf(config, await readMachines(config.builders.value)),
    substituters: config.substitute.value ? config.substituters.value : [],
    storeDirectory: store.stdout.trim(),
    stateDirectory: env["NIX_STATE_DIR"] ?? "/nix/var/nix",
    buildUsersGroup: config["build-users-group"].value,
    allocatesUids: config["auto-allocate-uids"].value,
    evaluationDigest: evaluationDigest(
      Object.fromEntries(Object.entries(all).map(([name, { value }]) => [name, value])),
    ),
    judged: Object.fromEntries(
      judgedSettings.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name].value]])),
    ),
  };
}

/** `2.8.0` of `nix (Nix) 2.8.0`, `nix (Lix, like Nix) 2.91.1` or `nix (Determinate Nix 3.6.2) 2.29.0`. */
export const parseVersion = (output: string): string | undefined =>
  /^nix .*?(?<version>\d+\.\d+\S*)\s*$/m.exec(output)?.groups?.["version"];

type Run = (...args: string[]) => Promise<ExecResult>;

/** Every setting as an object with its `value`. @throws HomelabError `unavailable` with code `NIX_BROKEN` */
async function readConfig(run: Run, version: string): Promise<AllSettings> {
  // The old name first where it is the only one; forks of Nix count their versions in their own way.
  const names = [["config", "show"], ["show-config"]];
  let said = "";
  for (const name of isAtLeast(version, "2.20") ? names : names.toReversed()) {
    const { exitCode, stdout, stderrTail } = await run(...featureFlags, ...name, "--json");
    const config = exitCode === 0 ? decodeJson(AllSettings, stdout) : undefined;
    if (config !== undefined) return config;
    said ||= stderrTail;
  }
  throw broken("nix show-config --json", said);
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

const broken = (command: string, said: string): HomelabError =>
  new HomelabError("unavailable", `Nix does not work here: \`${command}\` gave no answer`, {
    code: "NIX_BROKEN",
    hint: installHint,
    cause: new Error(said.trim().slice(-500) || "it said nothing"),
  });
