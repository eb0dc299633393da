// What a report says under which heading. All text from outside goes through `codeSpan` or `codeBlock`.
import { isHostName } from "../../protocol/names.ts";
import { movedBy, type InputChange } from "../../nix/lock/flake-lock-diff.ts";
import type { HostClass } from "../judge/decide-classes.ts";
import type { Section } from "./fit-sections.ts";
import { registryAdvice, registryMessage } from "../../nix/lock/registry-inputs.ts";
import { historyText, needsPerson } from "../unreached-inputs.ts";
import { firstLine } from "../../base/lines.ts";
import {
  codeBlock,
  codeSpan,
  link,
  tableHead,
  tableRow,
  tailOf,
  visibleText,
} from "../../base/markdown-text.ts";
import { classWords, countWords } from "../judge/class-words.ts";
import { formatDelta, formatSize } from "../landed/effect-words.ts";
import { errorLine } from "./error-line.ts";
import { brokenHosts } from "./report-headline.ts";
import type {
  BisectedReport,
  FlakePlace,
  ReportedHost,
  ReviewReason,
  RootFailure,
  UpdateReport,
} from "./report.ts";

const tailLines = 50;
const tailBytes = 8 * 1024;
const mostHostsNamed = 20;

/** Those that need somebody come first. */
const classOrder: readonly HostClass[] = [
  "regression",
  "eval-error",
  "missing-host",
  "infra",
  "pre-existing",
  "fixed",
  "ok",
  "unchanged",
];

/** The most important first: a long report is cut from the bottom. */
export const sectionsOf = (report: UpdateReport): readonly Section[] => [
  reviewSection(report),
  adviceSection(report),
  revisionSection(report),
  inputSection(report),
  unavailableSection(report),
  registrySection(report),
  hostSection(report),
  failureSection(report),
  reproduceSection(report),
  warningSection(report),
  packageSection(report),
  unknownSection(report),
];

const reviewWords: Readonly<Record<ReviewReason["reason"], string>> = {
  downgrade: "An input is older than before",
  lock: "An input comes from another place",
  policy: "Hosts that did not build before",
  race: "The branch kept moving",
  refused: "The branch could not be moved",
};

const reviewSection = ({ review }: UpdateReport): Section => ({
  title: "Why it did not land",
  pieces: review.map(
    ({ reason, message, advice }) =>
      `- **${reviewWords[reason]}:** ${codeSpan(message, 500)}${advice === undefined ? "" : `\n  To let the next update land: ${codeSpan(advice, 500)}`}`,
  ),
  between: "\n",
});

/** For what is left to a person; a report of what lands by itself needs none. */
function adviceSection(report: UpdateReport): Section {
  const broken = brokenHosts(report).length > 0;
  const decide = broken
    ? `**Fix it:** push commits to ${codeSpan(report.updateBranch)}. Once you do, updates leave that branch alone.`
    : "**Accept it:** merge by fast-forward, so that exactly the commit that was built lands.";
  const left = [
    decide,
    ...restPieces(report),
    "**Wait:** the next run tries newer inputs. It closes this pull request when it lands or proposes them.",
    "**Decline it:** close this pull request. The same lock is not proposed again.",
    `**Keep it open:** add the label ${codeSpan("keep")}. Updates then leave this pull request alone.`,
  ];
  return {
    title: "What you can do",
    pieces: broken || report.review.length > 0 ? left.map((each) => `- ${each}`) : [],
    between: "\n",
  };
}

/** A person who does not want to wait for a fix can have the rest. */
function restPieces({ rest = [], culprits }: UpdateReport): readonly string[] {
  if (rest.length === 0) return [];
  const without = hostList(culprits.flat());
  return [
    `**Land the rest:** set ${codeSpan('"partialLanding": true')} in ${codeSpan("update")} of this repo's configuration. The hosts that fail build with ${hostList(rest)}, without ${without}. The next run then builds that on every host, and lands it where nothing else breaks.`,
  ];
}

const inputSection = ({ inputs }: UpdateReport): Section => ({
  title: "Inputs",
  head: tableHead(["input", "change"]),
  pieces: inputs.flatMap((change) => {
    const moved = movedBy(change);
    if (moved.length === 0) return [tableRow([codeSpan(change.path.join("/")), "declared otherwise"])];
    return moved.map(inputRow);
  }),
  between: "\n",
});

const inputRow = ({ path, before, after, downgraded, compareUrl }: InputChange): string =>
  tableRow([
    codeSpan(path.join("/")),
    [
      `${shortState(before)} → ${shortState(after)}`,
      ...(after?.lastModified === undefined ? [] : [`of ${dateOf(after.lastModified)}`]),
      ...(downgraded ? ["**older than before**"] : []),
      ...(compareUrl === undefined ? [] : [link("commits", compareUrl)]),
    ].join(" "),
  ]);

const unavailableSection = ({ unavailable }: UpdateReport): Section => ({
  title: "Unreachable inputs",
  pieces: unavailable
    .toSorted((a, b) => Number(needsPerson(b)) - Number(needsPerson(a)))
    .map((each) => {
      const { input, reason, hint } = each;
      const what = needsPerson(each) ? "stays as it is **until somebody fixes it**" : "stays as it is";
      const ages = historyText(each);
      return [
        `- ${codeSpan(input)} ${what}${ages === undefined ? "" : `, ${ages}`}: ${codeSpan(reason, 500)}`,
        ...(hint === undefined ? [] : [`; ${codeSpan(hint, 500)}`]),
      ].join("");
    }),
  between: "\n",
});

const registrySection = ({ registry }: UpdateReport): Section => ({
  title: "Inputs that a registry decides",
  pieces: registry.map(
    (each) => `- ${codeSpan(registryMessage(each.input), 500)}; ${codeSpan(registryAdvice(each), 500)}`,
  ),
  between: "\n",
});

const revisionSection = ({ bisected }: UpdateReport): Section => ({
  title: "By which revision",
  pieces: bisected.map(revisionPiece),
  between: "\n",
});

/** What the subject of a commit says is its author's text. */
function revisionPiece({ input, firstBad, lastGood, suspects, compareUrl, note }: BisectedReport): string {
  const links = compareUrl === undefined ? "" : ` (${link("commits", compareUrl)})`;
  const good = lastGood === undefined ? "" : `, last good: ${shortRev(lastGood)}`;
  const because = note === undefined ? "" : `: ${codeSpan(note, 500)}`;
  if (firstBad !== undefined)
    return `- ${codeSpan(input)}, first bad revision: ${revisionOf(firstBad)}${good}${links}`;
  if (suspects !== undefined)
    return `- ${codeSpan(input)}, one of ${suspects.count} revisions up to ${revisionOf(suspects.last)}${good}${links}${because}`;
  return `- ${codeSpan(input)}, its revisions were not searched${because}`;
}

/** As short as people name revisions; the JSON has the whole hash. */
export const revisionOf = ({ rev, date, subject }: NonNullable<BisectedReport["firstBad"]>): string =>
  `${shortRev(rev)} of ${codeSpan(date.slice(0, 10))} ${codeSpan(subject, 100)}`;

const shortRev = (rev: string): string => codeSpan(rev.slice(0, 12));

/** Hosts with the same text share a row, so that differences stand out. */
function hostSection({ hosts, failures }: UpdateReport): Section {
  const explained = new Set(failures.flatMap((failure) => failure.hosts));
  const sorted = hosts.toSorted(
    (a, b) => classOrder.indexOf(a.class) - classOrder.indexOf(b.class) || (a.host < b.host ? -1 : 1),
  );
  const rows = Map.groupBy(sorted, (host) => resultOf(host, explained.has(host.host)));
  return {
    title: "Hosts",
    head: tableHead(["host", "result"]),
    pieces: [...rows.values()].map((some) => {
      const [first] = some;
      const isExplained = first !== undefined && explained.has(first.host);
      return tableRow([
        hostsOfRow(some),
        first === undefined ? "" : resultOf(first, isExplained, some.length),
      ]);
    }),
    between: "\n",
  };
}

/**
 * @param isExplained a failure in the report says why
 * @param count of the hosts in the sentence
 */
function resultOf(host: ReportedHost, isExplained: boolean, count = 1): string {
  const { class: hostClass, part, message, closureSize = 0, sizeDelta, reboot } = host;
  const because = message === undefined || isExplained || hostClass === "missing-host" ? undefined : message;
  return [
    `${classWords(hostClass, count)}${part === undefined ? "" : ` (${part})`}`,
    ...(because === undefined ? [] : [codeSpan(because, 120)]),
    ...(sizeDelta === undefined ? [] : [`closure ${formatSize(closureSize)} (${formatDelta(sizeDelta)})`]),
    ...(reboot.length === 0 ? [] : [`reboot for ${reboot.map((name) => codeSpan(name)).join(", ")}`]),
  ].join("; ");
}

const mostHostsInRow = 12;

/** Which hosts are unchanged is worth their number, and no more. */
function hostsOfRow(hosts: readonly ReportedHost[]): string {
  const isBoring = hosts.length > 3 && hosts.every((host) => host.class === "unchanged");
  const names = hosts.map(({ host }) => host);
  return isBoring ? `${hosts.length} hosts` : hostList(names, mostHostsInRow);
}

const failureSection = ({ failures }: UpdateReport): Section => ({
  title: "Failures",
  pieces: failures.map(failurePiece),
  between: "\n\n",
});

/** What most likely went wrong, in a line: of an evaluation Nix's own, of a build the log's, where it has one. */
export function whyOf({ reason, tail, phase }: Pick<RootFailure, "reason" | "tail" | "phase">): string {
  if (phase === "evaluation") return firstLine(reason);
  return errorLine(visibleText(tail)) ?? reason;
}

/** What failed, and the end of its log folded away. The log is what a builder printed: nobody vouches for it. */
function failurePiece(failure: RootFailure): string {
  const { drvPath, hosts, phase, reason, tail, attachment, input } = failure;
  const isEvaluation = phase === "evaluation";
  const facts = [
    `- ${hosts.length === 1 ? "host" : "hosts"}: ${hostList(hosts)}`,
    isEvaluation
      ? `- does not evaluate: ${codeSpan(firstLine(reason), 500)}`
      : `- reason: ${codeSpan(reason, 500)}${phase === undefined ? "" : `, in ${codeSpan(phase)}`}`,
    ...(isEvaluation || tail.trim() === "" ? [] : [`- first error: ${codeSpan(whyOf(failure), 500)}`]),
    ...(input === undefined ? [] : [`- caused by the input ${codeSpan(input)}`]),
    ...(attachment === undefined ? [] : [`- full log: ${codeSpan(attachment)}, attached to a comment below`]),
    ...(drvPath === undefined ? [] : [`- on the builder: ${codeSpan(`nix log ${drvPath}`, 600)}`]),
  ];
  const shown = tailOf(tail, tailLines, tailBytes);
  const what = isEvaluation ? "Nix's error" : "The end of the log";
  const log =
    shown.trim() === "" ? [] : [`<details><summary>${what}</summary>\n\n${codeBlock(shown)}\n\n</details>`];
  return [`### ${failureName(failure)}`, facts.join("\n"), ...log].join("\n\n");
}

/** The name of a failure; for an evaluation, one of its hosts and how many others there are. */
export function failureName({ name, phase, hosts }: Pick<RootFailure, "name" | "phase" | "hosts">): string {
  const more = phase === "evaluation" && hosts.includes(name) ? hosts.length - 1 : 0;
  return more > 0 ? `${codeSpan(name, 100)} and ${more} more` : codeSpan(name, 100);
}

const warningSection = ({ warnings }: UpdateReport): Section => ({
  title: "New warnings",
  pieces: warnings.map(({ text, hosts }) => `- ${codeSpan(text, 500)} (${hostList(hosts)})`),
  between: "\n",
});

const packageSection = ({ packages, hosts }: UpdateReport): Section => ({
  title: "Packages",
  head: tableHead(["package", "change", "hosts"]),
  pieces: packages.map((change) =>
    tableRow([
      codeSpan(change.name),
      `${versions(change.removed)} → ${versions(change.added)}`,
      change.hosts.length === hosts.filter(({ part }) => part === undefined).length
        ? "all"
        : hostList(change.hosts),
    ]),
  ),
  between: "\n",
});

const unknownSection = ({ notCompared }: UpdateReport): Section => ({
  title: "Packages that could not be compared",
  pieces: notCompared.map(({ reason, hosts }) => `- ${hostList(hosts)}: ${codeSpan(reason)}`),
  between: "\n",
});

/** How to reproduce the failures. Once an update has landed there is nothing to reproduce, and its branch is gone. */
function reproduceSection(report: UpdateReport): Section {
  const { candidate, base, branch, repo, run, updateBranch, hosts, landed, flake = {} } = report;
  const own = hosts.filter(({ part }) => part === undefined);
  const host = own.find(({ class: found }) => classOrder.indexOf(found) < 3)?.host ?? own[0]?.host;
  const commands = [
    `git fetch origin ${updateBranch}`,
    `git diff ${base.slice(0, 12)} ${candidate.slice(0, 12)} -- ${lockOf(flake)}`,
    ...(host === undefined || !isHostName(host)
      ? []
      : [
          `nix build '${flakeUrl(flake, candidate)}#nixosConfigurations."${host}".config.system.build.toplevel'`,
          `homelab-deploy build ${host} --repo ${repo} --rev ${candidate}   # or on the builder`,
        ]),
  ];
  const of = `${codeSpan(candidate.slice(0, 12))} on ${codeSpan(base.slice(0, 12))} (${codeSpan(branch)} of ${codeSpan(repo)})`;
  return {
    title: landed === undefined ? "How to reproduce" : "Commit",
    pieces: [
      ...(landed === undefined ? [codeBlock(commands.join("\n"))] : []),
      `Commit ${of}, made by the update ${codeSpan(run)}.`,
    ],
    between: "\n\n",
  };
}

const lockOf = ({ directory }: FlakePlace): string =>
  directory === undefined ? "flake.lock" : `${directory}/flake.lock`;

/** In a checkout. The settings allow no character in a directory that means anything in a URL or to a shell. */
const flakeUrl = ({ directory, submodules = false }: FlakePlace, rev: string): string =>
  `${directory === undefined ? "." : `./${directory}`}?rev=${rev}${submodules ? "&submodules=1" : ""}`;

const shortState = (state: UpdateReport["inputs"][number]["before"]): string =>
  state === undefined
    ? "–"
    : codeSpan(state.rev?.slice(0, 7) ?? state.narHash?.slice(0, 15) ?? state.source, 40);

const versions = (list: readonly string[]): string =>
  list.length === 0
    ? "–"
    : list.map((version) => codeSpan(version === "" ? "no version" : version)).join(", ");

/** @param most are named, the others counted */
export function hostList(hosts: readonly string[], most = mostHostsNamed): string {
  const more = hosts.length - most;
  const named = hosts.slice(0, most).map((host) => codeSpan(host, 100));
  return [named.join(", "), ...(more > 0 ? [`and ${more} more`] : [])].join(" ");
}

const dateOf = (seconds: number): string => {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? "–" : date.toISOString().slice(0, 10);
};

/** `2 no longer build, 5 build`, those that need somebody first. */
export const countsOf = (hosts: readonly ReportedHost[]): string =>
  classOrder
    .map((name) => [name, hosts.filter((host) => host.class === name).length] as const)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => countWords(name, count))
    .join(", ");
