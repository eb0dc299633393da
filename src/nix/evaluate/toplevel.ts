// What a flake says about a host's toplevel is checked before anything relies on it: any attribute set can claim to
// be a derivation, and any string can claim to be its output.
import * as v from "valibot";
import { HomelabError } from "../../base/errors.ts";
import { plainText } from "../../base/terminal-text.ts";
import { StorePath } from "../../protocol/names.ts";
import { oneLine } from "../words/error-text.ts";
import type { EvaluationFailure, HostEvaluation } from "../evaluator.ts";
import type { Store } from "../store.ts";

const maxSystemLength = 100;

/** What the evaluator prints of a host that did not throw: see `hostsArguments`. */
const Said = v.object({
  drvPath: v.string(),
  /** Nix wrote this derivation: the string has it in its context, which only Nix can put there. */
  instantiated: v.boolean(),
  output: v.string(),
});

export type ToplevelCheckOptions = Pick<Store, "readDerivation" | "storeDirectory">;

/** The evaluation of a host as the store has it, or why the host has none. */
export type CheckedToplevel =
  | { readonly type: "evaluated"; readonly evaluation: Omit<HostEvaluation, "warnings"> }
  | { readonly type: "failed"; readonly failure: EvaluationFailure };

export type CheckToplevel = (said: unknown) => Promise<CheckedToplevel>;

/**
 * Reads the host's derivation from the store, and takes its output and its system from there. This costs one file
 * and no Nix process.
 */
export function createToplevelCheck({ readDerivation, storeDirectory }: ToplevelCheckOptions): CheckToplevel {
  const isDerivationPath = (path: string): path is StorePath =>
    v.is(StorePath, path) && path.endsWith(".drv") && path.slice(0, path.lastIndexOf("/")) === storeDirectory;

  return async (said) => {
    const parsed = v.safeParse(Said, said);
    // The types are those of our own expression, whatever the flake says.
    if (!parsed.success) return failed("infra", "Nix succeeded without saying what the host evaluates to");
    const { drvPath, instantiated, output } = parsed.output;
    if (!isDerivationPath(drvPath)) {
      return ownFault(`its toplevel is not a derivation: its drvPath is ${shown(drvPath)}`);
    }
    if (!instantiated) {
      return ownFault(
        `its toplevel is not a derivation: its drvPath is text, and evaluating it does not create ${drvPath}`,
      );
    }
    let derivation: Awaited<ReturnType<Store["readDerivation"]>>;
    try {
      derivation = await readDerivation(drvPath);
    } catch (error) {
      if (!(error instanceof HomelabError)) throw error;
      return failed("infra", error.message);
    }
    const outPath = [...derivation.outputs.values()].find((path) => path === output);
    if (outPath === undefined) {
      return ownFault(
        derivation.outputs.size === 0
          ? "content-addressed derivations are not supported: its toplevel is one or needs one, so its output path is not known before it is built"
          : `the outPath of its toplevel, ${shown(output)}, is not an output of its derivation ${drvPath}`,
      );
    }
    const system = plainText(derivation.system.slice(0, maxSystemLength));
    return {
      type: "evaluated",
      evaluation: { drvPath, outPath, system },
    };
  };
}

/** What the derivation itself shows: another evaluation writes the same. */
function ownFault(text: string): CheckedToplevel {
  const message = oneLine(text);
  return { type: "failed", failure: { cause: "error", message, details: message, isOwn: true } };
}

function failed(cause: EvaluationFailure["cause"], text: string): CheckedToplevel {
  const message = oneLine(text);
  return { type: "failed", failure: { cause, message, details: message } };
}

const shown = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
