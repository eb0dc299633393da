// What a report says under which heading. All text from outside goes through `codeSpan` or `codeBlock`.
import type { HostClass } from "../judge/decide-classes.ts";
import type { Section } from "./fit-sections.ts";
import { codeBlock, codeSpan, link, tableHead, tableRow, tailOf } from "../../base/markdown-text.ts";
import { brokenHosts } from "./report-headline.ts";
import type { BisectedReport, ReportedHost, RootFailure, UpdateReport } from "./report.ts";

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
  inputSection(report),
  unavailableSection(report),
  revisionSection(report),
  hostSection(report),
  failureSection(report),
  reproduceSection(report),
  warningSection(report),
  packageSection(report),
];

const reviewSection = ({ review }: UpdateReport): Section => ({
  title: "Needs a look",
  pieces: review.map(
    ({ reason, message, advice }) =>
      `- ${reason}: ${codeSpan(message, 500)}${advice === undefined ? "" : `; to let the next one land: ${codeSpan(advice, 500)}`}`,
  ),
  between: "\n",
});

/** For what is left to a person; a report of what lands by itself needs none. */
function adviceSection(report: UpdateReport): Section {
  const broken = brokenHosts(report).length > 0;
  const decide = broken
    ? `Mend the hosts on ${codeSpan(report.updateBranch)}: what you push there is yours, and no update writes to it any more.`
    : "If you want it, merge it by fast-forward: then what lands is the commit that was built.";
  const left = [
    decide,
    "Or leave it: the next run looks at the next state of the inputs, and closes this when it lands or proposes that.",
    `Or close it: exactly this is not proposed again. The label ${codeSpan("keep")} keeps it open.`,
  ];
  return {
    title: "What you can do",
    pieces: broken || report.review.length > 0 ? left.map((each) => `- ${each}`) : [],
    between: "\n",
  };
}

const inputSection = ({ inputs }: UpdateReport): Section => ({
  title: "Inputs",
  head: tableHead(["input", "from", "to", "date", ""]),
  pieces: inputs.map(({ path, before, after, downgraded, compareUrl }) =>
    tableRow([
      codeSpan(path.join("/")),
      shortState(before),
      shortState(after),
      after?.lastModified === undefined ? "–" : dateOf(after.lastModified),
      [
        ...(downgraded ? ["**older than before**"] : []),
        ...(compareUrl === undefined ? [] : [link("commits", compareUrl)]),
      ].join(" "),
    ]),
  ),
  between: "\n",
});

const unavailableSection = ({ unavailable }: UpdateReport): Section => ({
  title: "Inputs out of reach",
  pieces: unavailable.map(
    ({ input, reason }) => `- ${codeSpan(input)} stays as it is: ${codeSpan(reason, 500)}`,
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
  const good = lastGood === undefined ? "" : `, last good: ${codeSpan(lastGood)}`;
  const because = note === undefined ? "" : `: ${codeSpan(note, 500)}`;
  if (firstBad !== undefined)
    return `- ${codeSpan(input)}, first bad revision: ${revisionOf(firstBad)}${good}${links}`;
  if (suspects !== undefined)
    return `- ${codeSpan(input)}, one of ${suspects.count} revisions up to ${revisionOf(suspects.last)}${good}${links}${because}`;
  return `- ${codeSpan(input)}, its revisions were not told apart${because}`;
}

const revisionOf = ({ rev, date, subject }: NonNullable<BisectedReport["firstBad"]>): string =>
  `${codeSpan(rev)} ${codeSpan(date.slice(0, 10))} ${codeSpan(subject)}`;

const hostSection = ({ hosts }: UpdateReport): Section => ({
  title: "Hosts",
  head: tableHead(["host", "result", "build", "size", "reboot"]),
  pieces: hosts
    .toSorted(
      (a, b) => classOrder.indexOf(a.class) - classOrder.indexOf(b.class) || (a.host < b.host ? -1 : 1),
    )
    .map((host) =>
      tableRow([
        host.part === undefined ? codeSpan(host.host) : `${codeSpan(host.host)} (${host.part})`,
        host.message === undefined ? host.class : `${host.class}: ${codeSpan(host.message, 120)}`,
        host.durationMs === undefined ? "–" : durationOf(host.durationMs),
        host.sizeDelta === undefined ? "–" : sizeDeltaOf(host.sizeDelta),
        host.reboot.length === 0 ? "–" : host.reboot.map((part) => codeSpan(part)).join(" "),
      ]),
    ),
  between: "\n",
});

const failureSection = ({ failures }: UpdateReport): Section => ({
  title: "Failures",
  pieces: failures.map(failurePiece),
  between: "\n\n",
});

/** What failed, and the end of its log folded away. The log is what a builder printed: nobody vouches for it. */
function failurePiece({ name, drvPath, hosts, phase, reason, tail, attachment, input }: RootFailure): string {
  const facts = [
    `- ${codeSpan(reason, 500)}${phase === undefined ? "" : ` in ${codeSpan(phase)}`}`,
    `- ${hosts.length === 1 ? "host" : "hosts"}: ${hostList(hosts)}`,
    ...(input === undefined ? [] : [`- came with the input ${codeSpan(input)}`]),
    ...(attachment === undefined ? [] : [`- whole log attached: ${codeSpan(attachment)}`]),
    ...(drvPath === undefined ? [] : [`- on the builder: ${codeSpan(`nix log ${drvPath}`, 600)}`]),
  ];
  const shown = tailOf(tail, tailLines, tailBytes);
  const log =
    shown.trim() === ""
      ? "It has no log."
      : `<details><summary>The end of its log, as it was printed</summary>\n\n${codeBlock(shown)}\n\n</details>`;
  return `### ${codeSpan(name)}\n\n${facts.join("\n")}\n\n${log}`;
}

const warningSection = ({ warnings }: UpdateReport): Section => ({
  title: "New warnings",
  pieces: warnings.map(({ text, hosts }) => `- ${codeSpan(text, 500)} (${hostList(hosts)})`),
  between: "\n",
});

const packageSection = ({ packages, hosts }: UpdateReport): Section => ({
  title: "Packages",
  head: tableHead(["package", "from", "to", "hosts"]),
  pieces: packages.map((change) =>
    tableRow([
      codeSpan(change.name),
      versions(change.removed),
      versions(change.added),
      change.hosts.length === hosts.filter(({ part }) => part === undefined).length
        ? "all"
        : hostList(change.hosts),
    ]),
  ),
  between: "\n",
});

function reproduceSection({ candidate, base, updateBranch, hosts }: UpdateReport): Section {
  const own = hosts.filter(({ part }) => part === undefined);
  const host = own.find(({ class: found }) => classOrder.indexOf(found) < 3)?.host ?? own[0]?.host;
  const commands = [
    `git fetch origin ${updateBranch}`,
    `git diff ${base} ${candidate} -- flake.lock`,
    ...(host === undefined || !/^[A-Za-z0-9_-]+$/.test(host)
      ? []
      : [`nix build '.?rev=${candidate}#nixosConfigurations.${host}.config.system.build.toplevel'`]),
  ];
  return {
    title: "How to reproduce",
    pieces: [codeBlock(commands.join("\n"))],
    between: "\n\n",
  };
}

const shortState = (state: UpdateReport["inputs"][number]["before"]): string =>
  state === undefined ? "–" : codeSpan(state.rev?.slice(0, 12) ?? state.narHash ?? state.source, 40);

const versions = (list: readonly string[]): string =>
  list.length === 0
    ? "–"
    : list.map((version) => codeSpan(version === "" ? "no version" : version)).join(", ");

function hostList(hosts: readonly string[]): string {
  const more = hosts.length - mostHostsNamed;
  const named = hosts.slice(0, mostHostsNamed).map((host) => codeSpan(host));
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
}

const dateOf = (seconds: number): string => {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? "–" : date.toISOString().slice(0, 10);
};

function durationOf(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

const sizeDeltaOf = (bytes: number): string =>
  `${bytes < 0 ? "−" : "+"}${(Math.abs(bytes) / (1024 * 1024)).toFixed(1)} MiB`;

/** `2 regression, 5 ok`, those that need somebody first. */
export const countsOf = (hosts: readonly ReportedHost[]): string =>
  classOrder
    .map((name) => [name, hosts.filter((host) => host.class === name).length] as const)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
