import type { BuildState } from "../../../protocol/build-state.ts";
import type { DerivationFailure } from "../../../protocol/events.ts";
import { explain, isInfra, type FailureGroup } from "../../../words/failure-groups.ts";
import { hostLabelOf, hostList, listed, mostListed } from "../../../words/host-names.ts";
import { hosts } from "../../../words/host-names.ts";
import { verdictWords } from "../../../words/verdict-words.ts";
import { failedLogsCommand, showCommand } from "../../../words/next-commands.ts";
import type { Style } from "../style.ts";

/** How many of the last lines of a log are shown. */
export const tailLength = 20;

export interface FailurePrint {
  readonly style: Style;
  /** Lines of the log; none for failures after the first few. */
  readonly tail: number;
  readonly showTrace: boolean;
}

/** One failure, as lines that are safe to print. */
export function failureLines(
  state: BuildState,
  group: FailureGroup,
  { style, tail, showTrace }: FailurePrint,
): string[] {
  const labels = group.hosts.map(hostLabelOf(state, style.clean));
  const sign = isInfra(group) ? style.yellow(style.glyphs.fault) : style.red(style.glyphs.failure);
  const concerned = isInfra(group) ? "not the fault of" : "breaks";
  const affected = labels.length === 0 ? [] : [`  ${concerned} ${hostList(labels)}`];
  if (group.type === "derivation") {
    const { failure } = group;
    const [host] = group.hosts;
    return [
      `${sign} ${style.bold(style.clean(failure.name))}: ${style.clean(explain(failure))}`,
      ...affected,
      `  ${style.dim(failure.drvPath)}`,
      ...tailLines(failure, tail, style),
      ...(host === undefined || failure.log === undefined
        ? []
        : [`  Full log:  ${style.cyan(failedLogsCommand(state.id, host))}`]),
    ];
  }
  const what = verdictWords[group.verdict];
  const title =
    labels.length === 1 ? `${style.bold(labels[0] ?? "")}: ${what}` : `${what} for ${hosts(labels.length)}`;
  const message = group.reason.split("\n").map((line) => `  ${style.clean(line)}`);
  return [
    `${sign} ${title}`,
    ...message,
    ...(labels.length === 1 ? [] : [`  ${listed(labels, mostListed)}`]),
    ...traceLines(state, group, style, showTrace),
  ];
}

function tailLines(failure: DerivationFailure, most: number, style: Style): string[] {
  const tail = most === 0 ? [] : failure.tail.slice(-most);
  if (tail.length === 0) return [];
  return [
    tail.length === 1 ? "  Last line of its log:" : `  Last ${tail.length} lines of its log:`,
    ...tail.map((line) => `  ${style.dim("|")} ${style.log(line)}`.trimEnd()),
  ];
}

/** The message comes first and the trace only when it was asked for: it is long, and rarely what helps. */
export function traceLines(
  state: BuildState,
  { reason, details }: { readonly reason?: string; readonly details?: string },
  style: Style,
  showTrace: boolean,
): string[] {
  if (details === undefined || details === "" || details === reason) return [];
  if (showTrace) return details.split("\n").map((line) => `  ${style.dim("|")} ${style.log(line)}`.trimEnd());
  return [`  Trace:     ${style.cyan(`${showCommand(state.id)} --show-trace`)}`];
}
