// The title and the labels of the pull request that a report is for.
import { brokenClasses } from "../judge/decide-classes.ts";
import type { UpdateReport } from "./report.ts";

const maxTitleLength = 120;

/** Those that keep it from landing. */
export const brokenHosts = ({ hosts }: Pick<UpdateReport, "hosts">): readonly string[] =>
  hosts.filter((host) => brokenClasses.has(host.class) && host.part !== "advisory").map(({ host }) => host);

export const updateLabels = ["build-failure", "needs-review"] as const;
export type UpdateLabel = (typeof updateLabels)[number];

/** Which labels say what has to be done. None for an infrastructure fault: that is nobody's work here. */
export function labelsOf(report: Pick<UpdateReport, "hosts" | "review" | "inputs">): readonly UpdateLabel[] {
  const needsReview = report.review.length > 0 || report.inputs.some(({ downgraded }) => downgraded);
  return [
    ...(brokenHosts(report).length > 0 ? (["build-failure"] as const) : []),
    ...(needsReview ? (["needs-review"] as const) : []),
  ];
}

/** The one sentence that a person who is woken by it needs. It contains no text from outside. */
export function headlineOf(report: Pick<UpdateReport, "hosts" | "review" | "landed">): string {
  const { hosts, review, landed } = report;
  const broken = brokenHosts(report).length;
  const before = hosts.filter((host) => host.class === "pre-existing").length;
  const all = hosts.length === 1 ? "the one host" : `all ${hosts.length} hosts`;
  const some = (count: number): string => `${count} of ${hosts.length} hosts`;
  if (broken > 0) return `This update breaks ${some(broken)}.`;
  const state = landed === undefined ? "" : " has landed. It";
  if (before > 0)
    return `This update${state} breaks nothing. ${some(before)} ${before === 1 ? "does" : "do"} not build, and did not before either.`;
  if (landed !== undefined) return `This update has landed. It builds on ${all}.`;
  return review.length > 0
    ? `This update builds on ${all}, and needs your decision.`
    : `This update builds on ${all}.`;
}

/** `flake.lock: update nixpkgs, home-manager (+3): 2 hosts fail`, at most 120 characters. */
export function titleOf(report: Pick<UpdateReport, "hosts" | "inputs" | "review">): string {
  const names = report.inputs.flatMap(({ path }) => (path.length === 1 ? path : [])).map(safeName);
  const broken = brokenHosts(report).length;
  const fails = `${broken} ${broken === 1 ? "host fails" : "hosts fail"}`;
  const end = broken > 0 ? `: ${fails}` : labelsOf(report).length > 0 ? ": needs review" : "";
  for (let shown = names.length; shown > 0; shown--) {
    const more = shown < names.length ? ` (+${names.length - shown})` : "";
    const title = `flake.lock: update ${names.slice(0, shown).join(", ")}${more}${end}`;
    if (title.length <= maxTitleLength) return title;
  }
  return `flake.lock: update ${names.length} ${names.length === 1 ? "input" : "inputs"}${end}`;
}

/** A title is not Markdown, but mentions and references count in it. */
const safeName = (name: string): string => name.replaceAll(/[^A-Za-z0-9_.-]/g, "_");
