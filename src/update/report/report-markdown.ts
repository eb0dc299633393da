import { fitSections } from "./fit-sections.ts";
import { codeSpan } from "../../base/markdown-text.ts";
import { brokenHosts, headlineOf } from "./report-headline.ts";
import { countsOf, failureName, hostList, revisionOf, sectionsOf, whyOf } from "./report-sections.ts";
import type { UpdateReport } from "./report.ts";

/** GitHub takes 65,536 characters; Gitea has no limit. */
const defaultBodyBytes = 60_000;
/** The opening alone, with a note of what is missing, needs up to this. */
export const smallestBodyBytes = 8_000;

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

/** What breaks, by which input, why, and how it looks all in all: before anything has to be scrolled to. */
function summaryOf(report: UpdateReport): string {
  const { verdict, hosts, review, redactions } = report;
  const broken = brokenHosts(report);
  const reboots = hosts.filter(({ reboot }) => reboot.length > 0).length;
  const counts = countsOf(hosts);
  return [
    `**${headlineOf(report)}**`,
    [
      ...(broken.length === 0 ? [] : [`- **Broken:** ${hostList(broken, mostBrokenNamed)}`]),
      ...causeLines(report),
      ...failureLines(report),
      // If everything builds, the headline has already said so.
      ...(broken.length + review.length === 0 ? [] : [`- **Result:** ${codeSpan(verdict, 500)}`]),
      `- **Hosts:** ${counts === "" ? "none" : counts}`,
      ...(reboots > 0 ? [`- **Reboot:** ${reboots} ${reboots === 1 ? "host needs" : "hosts need"} one`] : []),
      ...(redactions > 0 ? [`- Secrets removed from the texts: ${redactions}`] : []),
    ].join("\n"),
  ].join("\n\n");
}

const mostBrokenNamed = 8;
const mostFailuresNamed = 3;

/** The inputs, and the revisions where they are known; or why they are unknown. */
function causeLines({ culprits, unproven, bisected }: UpdateReport): readonly string[] {
  if (unproven !== undefined) return [`- **Caused by:** not found: ${codeSpan(unproven, 500)}`];
  return culprits.slice(0, mostFailuresNamed).map((inputs) => {
    const named = inputs.map((input) => {
      const found = bisected.find((each) => each.input === input)?.firstBad;
      return `${codeSpan(input, 100)}${found === undefined ? "" : `, since ${revisionOf(found)}`}`;
    });
    return inputs.length === 1
      ? `- **Caused by:** the input ${named.join("")}`
      : `- **Caused by:** the inputs ${named.join(" and ")}, only together: with fewer of them the hosts build`;
  });
}

/** The first line of each failure that tells something. */
function failureLines({ failures }: UpdateReport): readonly string[] {
  const named = failures
    .slice(0, mostFailuresNamed)
    .map((failure) => `- **Why:** ${failureName(failure)}: ${codeSpan(whyOf(failure), 200)}`);
  const more = failures.length - named.length;
  return [...named, ...(more > 0 ? [`- and ${more} more ${more === 1 ? "failure" : "failures"} below`] : [])];
}
