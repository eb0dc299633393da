// The page that GitHub and Gitea show for a step: Markdown, in which text from outside is only ever code.
import { firstLine } from "../../../base/lines.ts";
import type { BuildState } from "../../../protocol/build-state.ts";
import { isOwnFault, isSuccess, outcomeOf } from "../../../protocol/verdicts.ts";
import { closingSentence } from "../../../words/closing-sentence.ts";
import { formatDuration } from "../../../words/duration.ts";
import { groupFailures, type FailureGroup } from "../../../words/failure-groups.ts";
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
const longestSpan = 300;

export function stepSummary(state: BuildState): string {
  const label = hostLabelOf(state, plainStyle.clean);
  const failures = groupFailures(state);
  const more = failures.length - mostFailures;
  const sections = [
    `### ${closingSentence(state)}`,
    ...(state.reason === undefined ? [] : [codeSpan(state.reason)]),
    ...(state.rejection?.hint === undefined ? [] : [codeSpan(state.rejection.hint)]),
    ...failures.slice(0, mostFailures).map((group) => failureSection(group, label)),
    ...(more > 0 ? [`${more} more failures`] : []),
    hostSection(state, label),
    `Build ${state.id}`,
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function failureSection(group: FailureGroup, label: HostLabel): string {
  const broken = codeSpan(hostList(group.hosts.map(label)));
  if (group.type === "hosts") {
    return `#### ${verdictWords[group.verdict]}: ${broken}\n\n${codeBlock(group.reason.split("\n"))}`;
  }
  const { failure } = group;
  const title = `#### ${codeSpan(failure.name)}: ${codeSpan(explain(failure))}`;
  const tail = failure.tail.slice(-tailLength);
  return [
    title,
    ...(group.hosts.length === 0 ? [] : [`Breaks ${broken}`]),
    codeSpan(failure.drvPath),
    ...(tail.length === 0 ? [] : [codeBlock(tail)]),
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
        codeSpan(label(host)),
        finished !== undefined && isOwnFault(finished.verdict) ? `**${result}**` : result,
        finished === undefined ? "" : formatDuration(finished.durationMs),
        codeSpan(reason),
      ];
    }),
    ...state.skipped.map((host) => [codeSpan(label(host)), "skipped", "", codeSpan(host.reason)]),
  ];
  if (rows.length === 0) return "";
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const table = [
    line(["Host", "Result", "Time", "Because"]),
    "| --- | --- | ---: | --- |",
    ...rows.slice(0, mostRows).map(line),
  ].join("\n");
  return rows.length > mostRows ? `${table}\n\n${hosts(rows.length - mostRows)} more` : table;
}

const longestRunOfBackticks = (text: string): number =>
  (text.match(/`+/g) ?? []).reduce((longest, run) => Math.max(longest, run.length), 0);

/** Foreign text in a line or a cell. A code span ends only at as many backticks as it began with. */
export function codeSpan(foreign: string): string {
  const text = plainStyle.clean(foreign);
  const cut = text.length > longestSpan ? `${text.slice(0, longestSpan)}…` : text;
  if (cut.trim() === "") return "";
  const ticks = "`".repeat(longestRunOfBackticks(cut) + 1);
  // In a table `\|` is a bar also within a code span.
  return `${ticks} ${cut.replaceAll("|", "\\|")} ${ticks}`;
}

/** Foreign lines. A fence ends only at a line with at least as many backticks. */
export function codeBlock(foreign: readonly string[]): string {
  const text = foreign
    .map((line) => plainStyle.clean(line))
    .join("\n")
    .slice(-longestBlock);
  const fence = "`".repeat(Math.max(3, longestRunOfBackticks(text) + 1));
  return `${fence}text\n${text}\n${fence}`;
}
