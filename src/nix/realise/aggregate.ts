// Nix holds back what it knows about the derivations that it was asked for: the errors of all of them come when the
// process ends, and on 2.8 to 2.29 so do the ends of their activities (`Goal::amDone` logs an error only where another
// goal waits for it; the activity ends when the last reference to the goal goes). Of what another derivation needs,
// every version tells both at once. So Nix is asked for one derivation that needs all of them.
import { readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { HomelabError } from "../../base/errors.ts";
import { plainText } from "../../base/terminal-text.ts";
import { StorePath } from "../../protocol/names.ts";
import type { Exec } from "../../process/exec.ts";
import type { Environment } from "../nix-environment.ts";
import type { Store } from "../store.ts";
import { oneLine } from "../words/error-text.ts";

export interface AggregateSettings extends Pick<Store, "readDerivation"> {
  readonly exec: Exec;
  readonly environment: Environment;
}

const instantiateTimeoutMs = 120_000;

/**
 * No machine has it. Nix looks for it when all that the aggregate needs is built, and ends there: nothing is ever built
 * or stored for an aggregate itself, except the file of its derivation.
 */
const missingFeature = "homelab-deploy-never";

/** Whatever nix.conf forbids to expressions of others: this one reads nothing. */
const ownExpression = ["--option", "restrict-eval", "false", "--option", "pure-eval", "false"];

/** An output name of Nix. Anything else would not be a literal in an expression. */
const outputName = /^[\w+.?=-]+$/;

/**
 * Makes a derivation that needs all outputs of these and can never be built itself. A root in the directory keeps it
 * for as long as the directory is there.
 *
 * @throws HomelabError `unavailable`, also where Nix knows about no derivation that could need one of these.
 */
export async function instantiateAggregate(
  { exec, environment, readDerivation }: AggregateSettings,
  drvPaths: readonly StorePath[],
  directory: string,
  signal: AbortSignal,
): Promise<StorePath> {
  const inputs: string[] = [];
  for (const drvPath of drvPaths) {
    const names = [...(await readDerivation(drvPath)).outputs.keys()].filter((name) => outputName.test(name));
    const outputs = (names.length === 0 ? ["out"] : names).map((name) => `"${name}"`);
    inputs.push(`"${drvPath}".outputs = [ ${outputs.join(" ")} ];`);
  }
  const file = join(directory, "aggregate.nix");
  const root = join(directory, "aggregate.drv");
  await writeFile(file, expression(inputs), { mode: 0o600 });
  const args = [...ownExpression, "--add-root", root, "--", file];
  const { exitCode, timedOut, stderrTail } = await exec("nix-instantiate", args, {
    env: environment,
    cwd: "/",
    signal,
    timeoutMs: instantiateTimeoutMs,
  });
  if (exitCode !== 0 || timedOut) {
    const reason = timedOut ? "it took too long" : oneLine(plainText(stderrTail));
    throw new HomelabError("unavailable", `Nix cannot aggregate derivations: ${reason}`);
  }
  return v.parse(StorePath, await readlink(root));
}

/** The context of a string says what a derivation needs; without reading the files of its inputs. */
const expression = (inputs: readonly string[]): string => `derivation {
  name = "homelab-deploy-aggregate";
  system = "builtin";
  builder = "builtin:none";
  requiredSystemFeatures = [ "${missingFeature}" ];
  allowSubstitutes = false;
  preferLocalBuild = true;
  inputs = builtins.appendContext "" {
    ${inputs.join("\n    ")}
  };
}
`;

/** Nix says this of an aggregate when all that it needs is built: nothing has failed. */
export const saysAllBuilt = (text: string, aggregate: StorePath): boolean =>
  text.includes(aggregate) && text.includes(missingFeature);
