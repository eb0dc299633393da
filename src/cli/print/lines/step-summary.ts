// The page that GitHub and Gitea show for a step: Markdown, in which text from outside is only ever code.
import { firstLine } from "../../../base/lines.ts";
import { codeBlock, codeSpan, tableHead, tableRow, tailOf } from "../../../base/markdown-text.ts";
import type { BuildState } from "../../../protocol/build-state.ts";
import { isOwnFault, isSuccess, outcomeOf } from "../../../protocol/verdicts.ts";
import { closingSentence } from "../../../words/closing-sentence.ts";
import { formatDuration } from "../../../words/duration.ts";
import { groupFailures, shortenFailures, type FailureGroup } from "../../../words/failure-groups.ts";
import { tailLength } from "../summary/failure-text.ts";
import { explain } from "../../../words/failure-groups.ts";
import { hostLabelOf, hostList, type HostLabel } from "../../../words/host-names.ts";
import { verdictText } from "../summary/verdict-text.ts";
import { hosts } from "../../../words/host-names.ts";
import { verdictWords } from "../../../words/verdict-words.ts";
import { plainStyle } from "../style.ts";

// Together far below the 1 MiB that a summary may have.
const mostRows = 200;
const mostFailures = 20;
const longestBlock = 20_000;

/** One line of foreign text, and nothing where there is none. */
const span = (foreign: string): string => (foreign === "" ? "" : codeSpan(foreign, 300));

export function stepSummary(state: BuildState): string {
  const label = hostLabelOf(state, plainStyle.clean);
  const { shown: failures, more: alike } = shortenFailures(groupFailures(state));
  const more = failures.length - mostFailures;
  const sections = [
    `### ${closingSentence(state)}`,
    ...reasonOf(state),
    ...(state.rejection?.hint === undefined ? [] : [span(state.rejection.hint)]),
    ...failures.slice(0, mostFailures).map((group) => failureSection(group, label)),
    ...(more > 0 ? [`${more} more failures`] : []),
    ...alike.map(
      ({ hosts: broken, count }) =>
        `${count} more derivations failed for ${span(hostList(broken.map(label)))}`,
    ),
    hostSection(state, label),
    `Build ${state.id}`,
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function reasonOf({ reason }: BuildState): string[] {
  if (reason === undefined) return [];
  return [reason.includes("\n") ? codeBlock(tailOf(reason, 1000, longestBlock)) : span(reason)];
}

function failureSection(group: FailureGroup, label: HostLabel): string {
  const broken = span(hostList(group.hosts.map(label)));
  if (group.type === "hosts") {
    return `#### ${verdictWords[group.verdict]}: ${broken}\n\n${codeBlock(tailOf(group.reason, 1000, longestBlock))}`;
  }
  const { failure } = group;
  const title = `#### ${span(failure.name)}: ${span(explain(failure))}`;
  const tail = tailOf(failure.tail.join("\n"), tailLength, longestBlock);
  return [
    title,
    ...(group.hosts.length === 0 ? [] : [`Breaks ${broken}`]),
    span(failure.drvPath),
    ...(tail === "" ? [] : [codeBlock(tail)]),
  ].join("\n\n");
}

function hostSection(state: BuildState, label: HostLabel): string {
  const all = [...state.hosts.values()];
  const shown =
    all.length <= mostRows
      ? all
      : all.filter(({ finished }) => finished === undefined || !isSuccess(finished.verdict));
  const rows = [
    ...shown.map((host) => {
      const { finished } = host;
      const reason =
        finished === undefined || isSuccess(finished.verdict) ? "" : firstLine(finished.reason ?? "");
      const result = verdictText(finished && outcomeOf(finished), plainStyle);
      return [
        span(label(host)),
        finished !== undefined && isOwnFault(finished.verdict) ? `**${result}**` : result,
        finished === undefined ? "" : formatDuration(finished.durationMs),
        span(reason),
      ];
    }),
    ...state.skipped.map((host) => [span(label(host)), "skipped", "", span(host.reason)]),
  ];
  if (rows.length === 0) return "";
  const head = tableHead(["Host", "Result", "Time", "Because"], ["Time"]);
  const table = [head, ...rows.slice(0, mostRows).map(tableRow)].join("\n");
  return rows.length > mostRows ? `${table}\n\n${hosts(rows.length - mostRows)} more` : table;
}
