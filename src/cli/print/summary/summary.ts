// The last thing that is printed about a build, the same in every text mode: what failed and why, each host's
// result, one sentence, and what to do next.
import { HomelabError } from "../../../base/errors.ts";
import { firstLine } from "../../../base/lines.ts";
import {
  hasNoChanges,
  isOver,
  statusOf,
  wasDenied,
  type BuildState,
  type HostState,
} from "../../../protocol/build-state.ts";
import { isOwnFault, isSuccess, outcomeOf } from "../../../protocol/verdicts.ts";
import { closingSentence, lacksOnlyBuilders } from "../../../words/closing-sentence.ts";
import { formatDuration } from "../../../words/duration.ts";
import { renderError } from "../error.ts";
import { groupFailures, mostAlike, shortenFailures } from "../../../words/failure-groups.ts";
import { failureLines, tailLength, traceLines } from "./failure-text.ts";
import { hostLabelOf, hostList, listed } from "../../../words/host-names.ts";
import { hostWarningLines } from "./host-warnings.ts";
import { verdictText } from "./verdict-text.ts";
import {
  cancelCommand,
  doctorCommand,
  verifyCommand,
  followCommand,
  retryCommands,
  showCommand,
} from "../../../words/next-commands.ts";
import type { Style } from "../style.ts";
import { renderTable } from "../pages/table.ts";

export interface SummaryPrint {
  readonly style: Style;
  /** The width of the terminal; undefined if nothing limits it. */
  readonly width?: number;
  readonly showTrace?: boolean;
  /** Also prints warnings, for a build that nobody watched. */
  readonly warnings?: boolean;
}

/** Up to this many hosts each has its line; beyond, only those that are not a success. */
const mostHostsInFull = 20;
const mostRows = 40;
/** The log's tail is shown for this many failures; the others are named. */
const mostTails = 10;

/** Text that ends in a newline, safe to print. */
export function renderSummary(state: BuildState, print: SummaryPrint): string {
  const { style } = print;
  const failures = shortenFailures(groupFailures(state));
  const sections = [
    ...(print.warnings === true ? [warningLines(state, style)] : []),
    hostWarningLines(state, style),
    ...failures.shown.map((group, i) =>
      failureLines(state, group, {
        style,
        tail: i < mostTails ? tailLength : 0,
        showTrace: print.showTrace === true,
      }),
    ),
    ...failures.more.map((more) => moreFailures(state, more, style)),
    hostTable(state, print),
    state.status === "rejected" ? rejection(state, style) : closing(state, print),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

const warningLines = (state: BuildState, style: Style): string[] =>
  state.warnings.map((warning) => `${style.yellow("warning:")} ${style.clean(warning)}`);

function moreFailures(
  state: BuildState,
  { hosts: broken, count }: ReturnType<typeof shortenFailures>["more"][number],
  style: Style,
): string[] {
  const labels = broken.map(hostLabelOf(state, style.clean));
  const what = `${count} more ${count === 1 ? "derivation" : "derivations"}`;
  return [
    `${style.dim(style.glyphs.ellipsis)} ${what} failed${labels.length === 0 ? "" : ` for ${hostList(labels)}`}`,
    `  All:       ${style.cyan(`${showCommand(state.id)} --json`)}`,
  ];
}

function rejection(state: BuildState, style: Style): string[] {
  if (hasNoChanges(state)) {
    return [`${style.green(style.glyphs.success)} ${style.clean(state.rejection?.message ?? "")}`];
  }
  const error = new HomelabError("usage", `build ${state.id} was rejected`, {
    hint: state.rejection?.hint,
    cause: new Error(state.rejection?.message ?? state.reason ?? "no reason was given"),
  });
  return [renderError(error, { style }).trimEnd()];
}

function hostTable(state: BuildState, { style, width }: SummaryPrint): string[] {
  const all = [...state.hosts.values()];
  const shown =
    all.length <= mostHostsInFull
      ? all
      : all
          .filter(({ finished }) => finished === undefined || !isSuccess(finished.verdict))
          .toSorted((a, b) => severity(a) - severity(b));
  const label = hostLabelOf(state, style.clean);
  const causes = failingDerivations(state, style);
  const rows = [
    ...shown.map((host) => hostRow(host, label(host), causes.get(`${host.repo}/${host.host}`), style)),
    ...state.skipped.map((host) => [
      label(host),
      verdictText("skipped", style),
      "",
      style.clean(host.reason),
    ]),
  ];
  if (rows.length === 0) return [];
  const table = renderTable(
    {
      columns: [
        { title: "Host", flexible: true },
        { title: "Result" },
        { title: "Time", align: "right" },
        { title: "Because", flexible: true },
      ],
      rows: rows.slice(0, mostRows),
    },
    { style, width },
  );
  const more = rows.length - mostRows;
  return more > 0 ? [...table, style.dim(`  ${style.glyphs.ellipsis} ${more} more`)] : table;
}

const severity = ({ finished }: HostState): number => {
  if (finished === undefined) return 1;
  return isOwnFault(finished.verdict) || outcomeOf(finished) === "internal-error"
    ? 0
    : finished.verdict === "infra-failed"
      ? 1
      : 2;
};

function hostRow(
  { finished }: HostState,
  label: string,
  derivations: readonly string[] | undefined,
  style: Style,
): string[] {
  const because =
    (derivations && listed(derivations, mostAlike)) ??
    (finished?.reason === undefined ? "" : style.clean(firstLine(finished.reason)));
  return [
    label,
    verdictText(finished && outcomeOf(finished), style),
    finished === undefined ? "" : formatDuration(finished.durationMs),
    finished !== undefined && isSuccess(finished.verdict) ? "" : because,
  ];
}

/** The names of the derivations that break a host, by its full name. */
function failingDerivations(state: BuildState, style: Style): ReadonlyMap<string, readonly string[]> {
  const causes = new Map<string, string[]>();
  for (const group of groupFailures(state)) {
    if (group.type !== "derivation") continue;
    for (const { repo, host } of group.hosts) {
      const names = causes.get(`${repo}/${host}`) ?? [];
      names.push(style.clean(group.failure.name));
      causes.set(`${repo}/${host}`, names);
    }
  }
  return causes;
}

function closing(state: BuildState, { style, showTrace }: SummaryPrint): string[] {
  const reason = state.reason?.split("\n").map((line) => `  ${style.clean(line)}`) ?? [];
  return [
    `${sentenceSign(state, style)}${style.bold(closingSentence(state))}`,
    ...reason,
    ...traceLines(state, state, style, showTrace === true),
    ...next(state, style),
  ];
}

function sentenceSign(state: BuildState, style: Style): string {
  const status = statusOf(state);
  if (status === "succeeded") return `${style.green(style.glyphs.success)} `;
  if (status === "failed" || status === "internal-error") return `${style.red(style.glyphs.failure)} `;
  return isOver(state) ? `${style.yellow(style.glyphs.fault)} ` : "";
}

/** Every host that has no success was built, and is not served: another build would change nothing. */
function lacksOnlyCache({ hosts, unresolved }: BuildState): boolean {
  const without = [...hosts.values()].filter(
    ({ finished }) => finished === undefined || !isSuccess(finished.verdict),
  );
  return (
    unresolved === undefined &&
    without.length > 0 &&
    without.every(({ finished }) => finished?.cached === false)
  );
}

function next(state: BuildState, style: Style): string[] {
  switch (statusOf(state)) {
    case "failed":
      return retries(state, style);
    case "infra-failed":
      if (lacksOnlyBuilders(state))
        return [
          `${state.builder ?? "This builder"} builds nothing for their systems: give its Nix a remote builder. Use \`exclude\` only for hosts that nobody needs.`,
          nextLine("Next:", doctorCommand, style),
        ];
      if (lacksOnlyCache(state))
        return [
          "This is not the hosts' fault: they are built, and the cache does not serve them.",
          nextLine("Next:", verifyCommand, style),
        ];
      return [
        wasDenied(state)
          ? "This is not the hosts' fault: give this builder access first."
          : "This is not the hosts' fault: try again later.",
        nextLine("Next:", doctorCommand, style),
        ...retries(state, style),
      ];
    case "internal-error":
      return [
        "Neither hosts nor infrastructure caused the bug. Please report it with the builder's log, which has the stack.",
        ...retries(state, style),
      ];
    case "expired":
      return [nextLine("Next:", doctorCommand, style)];
    case "queued":
    case "running":
      return [
        nextLine("Follow:", followCommand(state.id), style),
        nextLine("Cancel:", cancelCommand(state.id), style),
      ];
    case "succeeded":
      return builtPath(state, style);
    case "cancelled":
    case "rejected":
      return [];
  }
}

const nextLine = (label: string, command: string, style: Style): string =>
  `${label.padEnd(9)}  ${style.cyan(command)}`;

function retries(state: BuildState, style: Style): string[] {
  const hosts = [...state.hosts.values()];
  const ownFault = hosts.filter(({ finished }) => finished !== undefined && isOwnFault(finished.verdict));
  const unlucky = hosts.filter(
    ({ finished }) =>
      finished === undefined || ["infra-failed", "internal-error"].includes(outcomeOf(finished)),
  );
  return [...retryCommands(state, ownFault, "branch"), ...retryCommands(state, unlucky, "same-commit")].map(
    (command) => nextLine("Retry:", command, style),
  );
}

/** For a single host what was made of it is the result. */
function builtPath(state: BuildState, style: Style): string[] {
  const [host, ...others] = [...state.hosts.values()];
  const path = host?.finished?.outPath;
  return path === undefined || others.length > 0 ? [] : [`  ${style.dim(path)}`];
}
