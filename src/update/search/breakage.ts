// Whether hosts break with a part of an update as they do with the whole. A part can be broken for reasons of its own,
// which say nothing about what is looked for. Pure.
import { firstLine } from "../../base/lines.ts";
import type { BuildState, HostState } from "../../protocol/build-state.ts";
import type { HostName, StorePath } from "../../protocol/names.ts";
import { isOwnFault, isSuccess } from "../../protocol/verdicts.ts";
import { hostsNotListed } from "../judge/decide-classes.ts";
import { allBuilt, type Probed } from "./probe-commit.ts";
import type { PartVerdict } from "./search-inputs.ts";

/** How each host breaks with the whole update: `failureMarks` of its failure, or that it is missing. */
export type Breakage = ReadonlyMap<HostName, HostBreakage>;

export interface HostBreakage {
  readonly marks: ReadonlySet<string> | "missing";
  /** Its toplevel, where it evaluates. */
  readonly drvPath?: StorePath;
}

export function breakageOf(state: BuildState, hosts: readonly HostName[]): Breakage {
  const unlisted = hostsNotListed(state) ? new Set([listingMark(state.reason ?? "")]) : "missing";
  return new Map(
    hosts.map((host): [HostName, HostBreakage] => {
      const found = [...state.hosts.values()].find((each) => each.host === host);
      if (found === undefined) return [host, { marks: unlisted }];
      return [host, { marks: failureMarks(state, found), drvPath: found.evaluated?.drvPath }];
    }),
  );
}

/**
 * By what the same failure is known again with another part: the derivations that failed by themselves, without
 * their versions, or the evaluation's error without what differs each time. Empty for a host that did not fail.
 */
function failureMarks(state: BuildState, { host, finished }: HostState): ReadonlySet<string> {
  if (finished === undefined || !isOwnFault(finished.verdict)) return new Set();
  if (finished.verdict === "eval-failed") return new Set([`evaluation ${steadyText(finished.reason ?? "")}`]);
  const failed = state.failures.filter(
    ({ kind, hosts }) => kind !== "infra" && hosts.some((each) => each.host === host),
  );
  if (failed.length === 0) return new Set([finished.verdict]);
  return new Set(failed.map(({ name }) => `derivation ${name.replace(/-\d.*$/, "")}`));
}

/** The mark of a flake whose hosts cannot even be listed. */
const listingMark = (reason: string): string => `listing ${steadyText(firstLine(reason))}`;

/** Without hashes, positions and versions. */
const steadyText = (text: string): string =>
  text
    .replaceAll(/\/nix\/store\/[0-9a-z]{32}-/g, "")
    .replaceAll(/\b[0-9a-f]{7,64}\b/g, "")
    .replaceAll(/\d+/g, "");

/**
 * One host that breaks in the same way is enough; only where all build it is good.
 *
 * @returns why it is unknown, where the infrastructure kept a host from its verdict
 */
export function judgePart(probed: Probed, breakage: Breakage): PartVerdict | { readonly noVerdict: string } {
  switch (probed.type) {
    case "unknown":
      return { noVerdict: probed.reason };
    case "missing":
      return probed.hosts.some((host) => isMissing(breakage, host)) ? "bad" : "other";
    case "unlisted": {
      const mark = listingMark(probed.reason);
      return [...breakage.values()].some(({ marks }) => marks !== "missing" && marks.has(mark))
        ? "bad"
        : "other";
    }
    case "built":
      return judgeBuild(probed.state, breakage);
  }
}

function judgeBuild(state: BuildState, breakage: Breakage): PartVerdict | { readonly noVerdict: string } {
  const hosts = [...state.hosts.values()];
  const mended = hosts.find((host) => doesNotRepeat(host, breakage.get(host.host)));
  if (mended !== undefined) return { noVerdict: `the failure of ${mended.host} ${unrepeated}` };
  const isAlike = hosts.some((host) => {
    const { marks } = breakage.get(host.host) ?? {};
    return (
      marks !== undefined &&
      marks !== "missing" &&
      [...failureMarks(state, host)].some((mark) => marks.has(mark))
    );
  });
  if (isAlike) return "bad";
  if (allBuilt(state, [...breakage.keys()])) return "good";
  const without = hosts.find(({ finished }) => !hasVerdict(finished?.verdict));
  if (without === undefined && hosts.length > 0) return "other";
  return { noVerdict: firstLine(without?.finished?.reason ?? state.reason ?? "it never had any hosts") };
}

/** Begins the description of a failure that came by chance. */
export const unrepeated = "does not repeat: it has just built the same system";

/** The very system that failed with the whole update builds now, so no input is to blame for it. */
const doesNotRepeat = ({ evaluated, finished }: HostState, before: HostBreakage | undefined): boolean =>
  before?.drvPath !== undefined &&
  evaluated?.drvPath === before.drvPath &&
  finished !== undefined &&
  isSuccess(finished.verdict);

const hasVerdict = (verdict: Parameters<typeof isOwnFault>[0] | undefined): boolean =>
  verdict !== undefined && (isOwnFault(verdict) || isSuccess(verdict));

const isMissing = (breakage: Breakage, name: string): boolean =>
  [...breakage].some(([host, { marks }]) => host === name && marks === "missing");
