// Evaluates the NixOS modules with a real nixpkgs.lib, and stubs for the parts of NixOS that they set.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { ThrowAwayStore } from "./nix-store.ts";

const root = join(import.meta.dirname, "../..");

/** Copies of nixpkgs.lib from $NIXPKGS_LIB, with `:` between several: the directory `lib`, or what that is in. */
export const nixpkgsLibs: readonly string[] = (process.env["NIXPKGS_LIB"] ?? "")
  .split(":")
  .filter((path) => path !== "")
  .map((path) => (existsSync(join(path, "lib/modules.nix")) ? join(path, "lib") : path));
export const whyWithoutLib =
  "NIXPKGS_LIB does not name a copy of nixpkgs.lib, without which modules cannot be evaluated";

const Section = v.record(
  v.string(),
  v.union([v.string(), v.number(), v.boolean(), v.array(v.union([v.string(), v.number(), v.boolean()]))]),
);
export const Evaluated = v.object({
  failed: v.array(v.string()),
  warnings: v.array(v.string()),
  services: v.record(
    v.string(),
    v.object({
      restartIfChanged: v.boolean(),
      stopIfChanged: v.boolean(),
      wantedBy: v.array(v.string()),
      before: v.array(v.string()),
      path: v.array(v.string()),
      environment: v.record(v.string(), v.nullable(v.string())),
      unitConfig: Section,
      serviceConfig: Section,
    }),
  ),
  timers: v.record(v.string(), v.object({ wantedBy: v.array(v.string()), timerConfig: Section })),
  sockets: v.record(v.string(), v.object({ unitConfig: Section, socketConfig: Section })),
  tmpfiles: v.array(v.string()),
  /** Below /etc, with their text. */
  files: v.record(v.string(), v.string()),
  ports: v.array(v.number()),
  nix: v.object({
    settings: v.optional(v.record(v.string(), v.unknown())),
    gc: v.record(v.string(), v.unknown()),
  }),
  fileSystems: v.record(v.string(), v.unknown()),
  harmonia: v.nullable(v.record(v.string(), v.unknown())),
  runner: v.record(v.string(), v.record(v.string(), v.unknown())),
  homelab: v.unknown(),
  /** What people find in PATH, with its text where it is a script of ours. */
  commands: v.record(v.string(), v.nullable(v.string())),
  optionNames: v.array(v.string()),
});
export type Evaluated = v.InferOutput<typeof Evaluated>;

export interface EvaluateOptions {
  /** A module, as an expression. */
  readonly configuration: string;
  /** Whose names of Harmonia's options: test/nixos-modules/stubs.nix. */
  readonly harmonia?: "nested" | "flat" | "single-key" | "none";
  readonly module?: string;
}

/** Rejects with what Nix says when the configuration does not evaluate. */
export async function evaluateModules(
  store: ThrowAwayStore,
  lib: string,
  { configuration, harmonia = "nested", module = "default" }: EvaluateOptions,
): Promise<Evaluated> {
  const file = join(root, "test/nixos-modules/evaluate.nix");
  const args = ["--arg", "nixpkgsLib", lib, "--arg", "configuration", configuration];
  const strings = ["--argstr", "harmonia", harmonia, "--argstr", "module", module];
  const text = await store.run("nix-instantiate", "--eval", "--strict", "--json", file, ...args, ...strings);
  return v.parse(Evaluated, JSON.parse(text));
}

/** The configuration file that a unit starts its program with; the stubs put its text in the place of its path. */
export const configurationOf = (evaluated: Evaluated, unit: string): string =>
  checkedText(String(evaluated.services[unit]?.serviceConfig["ExecStart"]));

/** Of a file that the program checks while it is built. */
export const checkedText = (script: string): string =>
  /\ncp (?<text>\{.*\}) \$out\n/.exec(script)?.groups?.["text"] ?? "";

/** What `homelab-deploy nats config` prints for the unit of nats-server: the command is in the derivation of its file. */
export function natsConfigurationOf({ services }: Pick<Evaluated, "services">): string {
  const start = String(services["nats"]?.serviceConfig["ExecStart"]);
  const command = /bin\/homelab-deploy (?<args>nats config .*) > \$out/.exec(start)?.groups?.["args"];
  if (command === undefined) throw new Error(`no configuration is printed for ${start}`);
  const program = `${process.execPath} ${join(root, "src/cli/main.ts")}`;
  return execFileSync("sh", ["-c", `${program} ${command}`], { encoding: "utf8" });
}
