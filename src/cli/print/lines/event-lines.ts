// Each change of a build as lines of text: what happened to which host.
import { firstLine } from "../../../base/lines.ts";
import type { BuildState } from "../../../protocol/build-state.ts";
import type { BuildEvent, DerivationFailure, EventOf, HostRef } from "../../../protocol/events.ts";
import { fullName } from "../../../protocol/names.ts";
import { isSuccess, outcomeOf } from "../../../protocol/verdicts.ts";
import { formatDuration } from "../../../words/duration.ts";
import { explain } from "../../../words/failure-groups.ts";
import { hostLabelOf, hostList } from "../../../words/host-names.ts";
import { verdictText } from "../summary/verdict-text.ts";
import { hosts } from "../../../words/host-names.ts";
import type { Style } from "../style.ts";
import { sourceText } from "../../../words/source-text.ts";

/** A line about one host, or about the build where there is none. Safe to print. */
export interface EventLine {
  readonly host?: string;
  readonly text: string;
}

/** How much of a log is shown when a derivation fails; the summary has more of it. */
const tailLength = 5;

/** How many of the derivations that break the same hosts are shown. */
const mostFailures = 3;

/** Up to this many hosts have a line each; more of them that have the same to say share one. */
const mostLines = 3;

/** `state` is the state after the event. */
export function eventLines(state: BuildState, event: BuildEvent, style: Style): EventLine[] {
  const label = hostLabelOf(state, style.clean);
  const each = <Host extends HostRef>(about: readonly Host[], say: (host: Host) => string): EventLine[] =>
    [...Map.groupBy(about, say)].flatMap(([text, alike]) =>
      alike.length <= mostLines
        ? alike.map((host) => ({ host: label(host), text }))
        : [{ text: `${text} (${hostList(alike.map(label))})` }],
    );
  switch (event.type) {
    case "accepted":
      return acceptedLines(state, event, style);
    case "resumed":
      return [{ text: `builder ${event.builder} resumes the build` }];
    case "evaluated":
      return each(event.hosts, ({ remembered }) =>
        remembered ? "evaluated before, at the same commit" : "evaluated",
      );
    case "building":
      return each(event.hosts, () => "building");
    case "derivation-failed":
      return failureEventLines(failuresBefore(state, event), event, style, event.hosts.map(label));
    case "hosts-finished":
      return each(event.hosts, (finished) => {
        const { verdict, reason, durationMs } = finished;
        const because =
          isSuccess(verdict) || reason === undefined ? "" : `: ${style.clean(firstLine(reason))}`;
        return `${verdictText(outcomeOf(finished), style)} after ${formatDuration(durationMs)}${because}`;
      });
    case "warning":
      return [{ text: `${style.yellow("warning:")} ${style.clean(event.message)}` }];
    case "retrying":
      return [
        {
          text: `${style.yellow("warning:")} ${style.clean(firstLine(event.reason))}; trying ${hostList(event.hosts.map(label))} again in ${formatDuration(event.delayMs)} (attempt ${event.attempt})`,
        },
      ];
    case "finished":
    case "rejected":
      return [];
  }
}

function acceptedLines(state: BuildState, event: EventOf<"accepted">, style: Style): EventLine[] {
  const label = hostLabelOf(state, style.clean);
  // The last part tells about all.
  if (state.isPartial === true) return [];
  const sources = event.sources.map(sourceText).join(", ");
  const skipped = Map.groupBy(state.skipped, ({ reason }) => style.clean(reason));
  return [
    { text: `build ${state.id} accepted by ${event.builder}: ${hosts(state.hosts.size)} of ${sources}` },
    ...(state.unresolved ?? []).map(({ repo, reason }) => ({
      text: `${style.yellow("warning:")} ${repo} is left out, and its hosts get no verdict: ${style.clean(reason)}`,
    })),
    ...[...skipped].flatMap(([reason, alike]) =>
      alike.length <= mostLines
        ? alike.map((host) => ({ host: label(host), text: `skipped: ${reason}` }))
        : [{ text: `skipped: ${reason} (${hostList(alike.map(label))})` }],
    ),
  ];
}

/** How many other derivations are known to break the same hosts, counted up to one more than are shown. */
function failuresBefore(state: BuildState, { drvPath, hosts: broken }: EventOf<"derivation-failed">): number {
  const names = new Set(broken.map(fullName));
  const isAlike = (failure: DerivationFailure): boolean =>
    failure.drvPath !== drvPath &&
    failure.hosts.length === names.size &&
    failure.hosts.every((host) => names.has(fullName(host)));
  return state.failures
    .values()
    .filter(isAlike)
    .take(mostFailures + 1)
    .toArray().length;
}

function failureEventLines(
  before: number,
  failure: EventOf<"derivation-failed">,
  style: Style,
  labels: readonly string[],
): EventLine[] {
  const [only, ...others] = labels;
  const host = others.length > 0 ? undefined : only;
  const breaks = others.length > 0 ? `, breaks ${hostList(labels)}` : "";
  if (before > mostFailures) return [];
  if (before === mostFailures) {
    return [{ host, text: style.dim(`more derivations failed${breaks}; the summary counts them`) }];
  }
  const sign = failure.kind === "infra" ? style.yellow(style.glyphs.fault) : style.red(style.glyphs.failure);
  return [
    `${sign} ${style.clean(failure.name)}: ${style.clean(explain(failure))}${breaks}`,
    `  ${style.dim(failure.drvPath)}`,
    ...failure.tail.slice(-tailLength).map((line) => `  ${style.dim("|")} ${style.log(line)}`.trimEnd()),
  ].map((text) => ({ host, text }));
}
