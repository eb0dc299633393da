// Collects what remote builders, and the ssh that leads to them, said while Nix built.
import { machineName } from "../../protocol/machine-name.ts";
import { readFailureMessage, type FailureMessage } from "./failure-message.ts";
import { isExcuse, type MachineClaims, type MachineReports } from "./machine-claims.ts";
import type { NixActivity } from "../realiser.ts";
import type { StorePath } from "../../protocol/names.ts";

export interface MachineReportReader {
  take(activity: NixActivity): void;
  /** The names of machines that did not take what Nix wanted to build there. */
  refusing(): readonly string[];
  read(): MachineReports;
}

const maxOthers = 5;
const maxMachines = 100;
const maxTextLength = 16 * 1024;

/** Keeps what is said about machines while Nix builds, in bounded space. */
export function createMachineReports(): MachineReportReader {
  const claims = new Map<StorePath, MachineClaims>();
  const refusals = new Map<string, string>();
  let others: readonly string[] = [];
  let foreign: string | undefined;

  function takeClaim(message: FailureMessage): void {
    const drvPath = message.drvPath as StorePath;
    const known = claims.get(drvPath);
    if (known === undefined) return;
    const kind = isExcuse(message) ? "excused" : "failed";
    claims.set(drvPath, { ...known, [kind]: message });
  }

  function takeError(text: string): void {
    const refusal = /^cannot build on '(?<uri>[^']+)': (?:error: )?(?<why>[\s\S]*)$/.exec(text)?.groups;
    if (refusal !== undefined) {
      const { uri = "", why = "" } = refusal;
      if (refusals.size < maxMachines) refusals.set(uri, causeOf(why, foreign));
      return;
    }
    const message = readFailureMessage(text);
    if (message?.machine !== undefined) takeClaim(message);
    else if (message !== undefined && message.drvPath === undefined && claims.size > 0) {
      others = [...others, message.reason].slice(-maxOthers);
    }
  }

  return {
    take(activity) {
      if (activity.type === "derivation-started" && activity.machine !== undefined) {
        claims.set(activity.drvPath, {});
      } else if (activity.type === "message") {
        const { level, text, own, foreign: isForeign } = activity.message;
        if (isForeign === true) foreign = text.trim();
        else if (level === 0 && own !== true) takeError(text.slice(0, maxTextLength));
      }
    },
    refusing: () => [...refusals.keys()].map(machineName),
    read: () => ({ claims, refusals, others }),
  };
}

/** What ssh says about it goes to the same stderr, before Nix only says that it has no connection; or it follows Nix's words. */
function causeOf(why: string, foreign: string | undefined): string {
  const lines = why.trim().split("\n");
  // Nix quotes what it got instead, such as what a login shell prints there, and its own first bytes.
  const said = (lines.find((line) => line.includes("protocol mismatch")) ?? lines.at(-1) ?? "").trim();
  const isVague =
    /unexpected end-of-file|disconnected unexpectedly|cannot connect to '[^']*'$|failed to start SSH connection to '[^']*'$/.test(
      said,
    );
  return (
    isVague && foreign !== undefined
      ? foreign
      : said.replace(/^.*(?:cannot connect|failed to start SSH connection) to '[^']*': /, "")
  ).slice(0, 300);
}
