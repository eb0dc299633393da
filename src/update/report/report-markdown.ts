import { fitSections } from "./fit-sections.ts";
import { codeSpan } from "../../base/markdown-text.ts";
import { headlineOf } from "./report-headline.ts";
import { countsOf, sectionsOf } from "./report-sections.ts";
import type { UpdateReport } from "./report.ts";

/** GitHub takes 65,536 characters; Gitea has no limit. */
const defaultBodyBytes = 60_000;
/** The opening alone, with a note of what is missing, needs up to this. */
export const smallestBodyBytes = 4_000;

/**
 * The body of a pull request.
 *
 * @param marker one line that stands first, invisible for people
 * @param limitBytes of UTF-8; at least `smallestBodyBytes`
 */
export function printBody(report: UpdateReport, marker = "", limitBytes = defaultBodyBytes): string {
  const opening = [...(marker === "" ? [] : [marker]), summaryOf(report)].join("\n\n");
  return fitSections(opening, sectionsOf(report), Math.max(limitBytes, smallestBodyBytes));
}

function summaryOf(report: UpdateReport): string {
  const { verdict, hosts, failures, run, repo, base, candidate, branch, redactions } = report;
  const reboots = hosts.filter(({ reboot }) => reboot.length > 0).length;
  const counts = countsOf(hosts);
  return [
    `**${headlineOf(report)}**`,
    [
      `- verdict: ${codeSpan(verdict, 500)}`,
      ...(failures.length === 0 ? [] : [`- what fails: ${failuresOf(failures)}`]),
      `- hosts: ${counts === "" ? "none" : counts}`,
      ...(reboots > 0 ? [`- only whole after a reboot: ${reboots} ${reboots === 1 ? "host" : "hosts"}`] : []),
      `- commit ${codeSpan(candidate)} on ${codeSpan(base)} of ${codeSpan(branch)} in ${codeSpan(repo)}, update ${codeSpan(run)}`,
      ...(redactions > 0 ? [`- secrets taken out of the texts: ${redactions}`] : []),
    ].join("\n"),
  ].join("\n\n");
}

const mostFailuresNamed = 3;

function failuresOf(failures: UpdateReport["failures"]): string {
  const named = failures
    .slice(0, mostFailuresNamed)
    .map(
      ({ name, input }) =>
        `${codeSpan(name)}${input === undefined ? "" : ` (by the input ${codeSpan(input)})`}`,
    );
  const more = failures.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
}
