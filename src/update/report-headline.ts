// The title and the labels of the pull request that a report is for.
import { brokenClasses } from "./decide-classes.ts";
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

/** `flake.lock: update nixpkgs, home-manager (+3): 2 hosts fail`, at most 120 characters. */
export function titleOf(report: Pick<UpdateReport, "hosts" | "inputs">): string {
  const names = report.inputs.flatMap(({ path }) => (path.length === 1 ? path : [])).map(safeName);
  const broken = brokenHosts(report).length;
  const end = broken === 0 ? "" : `: ${broken} ${broken === 1 ? "host fails" : "hosts fail"}`;
  for (let shown = names.length; shown > 0; shown--) {
    const more = shown < names.length ? ` (+${names.length - shown})` : "";
    const title = `flake.lock: update ${names.slice(0, shown).join(", ")}${more}${end}`;
    if (title.length <= maxTitleLength) return title;
  }
  return `flake.lock: update ${names.length} ${names.length === 1 ? "input" : "inputs"}${end}`;
}

/** A title is no Markdown, but mentions and references count in it. */
const safeName = (name: string): string => name.replaceAll(/[^A-Za-z0-9_.-]/g, "_");
