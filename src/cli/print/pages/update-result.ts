// What an update came to, for people and for programs.
import type { Revision } from "../../../git/git.ts";
import type { LandedEffect } from "../../../protocol/update-events.ts";
import { effectLines } from "../../../update/landed/effect-words.ts";
import type { SafeUpdateResult } from "../../../update/conclude.ts";
import type { BisectedInput } from "../../../update/search/bisect-input.ts";
import { isRestGood } from "../../../update/search/find-culprits.ts";
import type { Found, Validated } from "../../../update/update.ts";
import type { UnreachedInput } from "../../../update/journal.ts";
import { historyText, needsPerson } from "../../../update/unreached-inputs.ts";
import type { HostClass } from "../../../update/judge/decide-classes.ts";
import { classWords } from "../../../update/judge/class-words.ts";
import { missingVerdicts } from "../../../update/judge/missing-verdicts.ts";
import { gatedHosts, type DownstreamVerdict } from "../../../update/judge/judge-downstream.ts";
import type { Style } from "../style.ts";

/** Some lines, safe to print, with a newline at the end. */
export function describeUpdate(
  repo: string,
  result: SafeUpdateResult,
  reportFile: string,
  style: Style,
): string {
  const lines =
    result.type === "no-change"
      ? []
      : [...downstreamOf(result.validated, style), ...warningsOf(result.validated, style)];
  return outcomeText(repo, result, reportFile, style) + lines.map((line) => `${line}\n`).join("");
}

function outcomeText(repo: string, result: SafeUpdateResult, reportFile: string, style: Style): string {
  const name = style.bold(`${repo}:`);
  const { success, failure, fault } = style.glyphs;
  switch (result.type) {
    case "no-change":
      return `${style.green(success)} ${name} nothing to update.\n`;
    case "landed":
      return [
        `${style.green(success)} ${name} ${inputsOf(result.validated)} landed as ${result.validated.candidate.commit.slice(0, 7)}; it builds on ${hostsOf(result.validated)}.`,
        ...effectOf(result.effect, style),
        ...(result.effect === undefined ? [] : [`  Report:  ${reportFile}`]),
        "",
      ].join("\n");
    case "proposed":
      return [
        `${style.red(failure)} ${name} ${inputsOf(result.validated)} did not land: ${style.clean(result.why?.message ?? brokenOf(result.validated))}.`,
        ...causeOf(result.validated, result.found, style),
        ...rememberedOf(result.validated),
        ...(result.found?.bisected ?? []).map((found) => `  ${style.clean(revisionLine(found))}`),
        ...partOf(result.found, style),
        ...effectOf(result.effect, style),
        ...(result.why?.advice === undefined
          ? []
          : [`  ${style.dim("To let it land:")} ${style.clean(result.why.advice)}.`]),
        `  ${result.url === undefined ? `Branch:  ${result.branch}` : `See:     ${style.clean(result.url)}`}`,
        `  Report:  ${reportFile}`,
        "",
      ].join("\n");
    case "declined":
      return `${style.yellow(fault)} ${name} the same update was proposed before and closed by a person: ${style.clean(result.url)}\n${[...partOf(result.found, style), ...effectOf(result.effect, style), ""].join("\n")}`;
    case "infra":
      return `${style.yellow(fault)} ${name} no verdict on ${result.validated.outcome.type === "infra" ? style.clean(result.validated.outcome.hosts.join(", ")) : "some hosts"}; ${result.found?.landed === undefined ? "nothing was landed or proposed" : "nothing was proposed"}, and the next run retries.\n${[...reasonsOf(result.validated, style), ...partOf(result.found, style), ...effectOf(result.effect, style), ""].join("\n")}`;
    case "dry-run":
      return result.wouldLand
        ? `${style.green(success)} ${name} ${inputsOf(result.validated)} would land; it builds on ${hostsOf(result.validated)}.\n`
        : `${style.red(failure)} ${name} ${inputsOf(result.validated)} would not land: ${style.clean(result.why?.message ?? brokenOf(result.validated))}.\n`;
  }
}

const reasonsOf = (validated: Validated, style: Style): readonly string[] =>
  missingVerdicts(validated).map((line) => `  ${style.clean(line)}`);

const mostWarnings = 5;

/** What its build was warned of, such as of a post-build-hook that failed before. */
function warningsOf({ state }: Validated, style: Style): readonly string[] {
  const more = state.warnings.length - mostWarnings;
  const shown = state.warnings
    .slice(0, mostWarnings)
    .map((warning) => `  ${style.yellow("warning:")} ${style.clean(warning)}`);
  return [...shown, ...(more > 0 ? [`  and ${more} more warnings`] : [])];
}

function revisionLine({ input, firstBad, lastGood, suspects, note = "" }: BisectedInput): string {
  const name = ({ rev, committedAt, subject }: Revision): string =>
    `${rev.slice(0, 12)} of ${committedAt.toISOString().slice(0, 10)} (${subject})`;
  if (firstBad !== undefined)
    return `First bad revision of ${input}: ${name(firstBad)}, last good: ${lastGood?.slice(0, 12) ?? "unknown"}.`;
  if (suspects !== undefined)
    return `First bad revision of ${input}: one of ${suspects.count} up to ${name(suspects.last)}: ${note}.`;
  return `First bad revision of ${input}: unknown: ${note}.`;
}

/** Some lines for each, or nothing. */
export const describeUnavailable = (inputs: readonly UnreachedInput[], style: Style): string =>
  inputs.map((each) => unavailableText(each, style)).join("");

function unavailableText(each: UnreachedInput, style: Style): string {
  const { input, reason, hint } = each;
  const name = style.clean(input);
  const ages = historyText(each);
  const history = ages === undefined ? "" : ` ${ages}`;
  const because = style.clean(reason);
  if (!needsPerson(each)) return `  ${name} could not be reached${history} and stays as it is: ${because}\n`;
  const start = `${style.red(style.glyphs.failure)} ${style.bold(name)} stays as it is until somebody fixes it`;
  return [
    `  ${start}${ages === undefined ? "" : `, unreachable ${ages}`}: ${because}\n`,
    ...(hint === undefined ? [] : [`    ${style.dim("hint:")} ${style.clean(hint)}\n`]),
  ].join("");
}

const rememberedOf = ({ isRemembered, state }: Validated): readonly string[] =>
  isRemembered === true
    ? [
        `  Nothing was built again: its verdicts are those of the build ${state.id}. To build again: update --fresh`,
      ]
    : [];

/** Which inputs break it, or why that is unknown. */
function causeOf(
  validated: Pick<Validated, "candidate" | "classes">,
  found: Found | undefined,
  style: Style,
): readonly string[] {
  if (found === undefined) return [];
  const { culprits, unproven } = found;
  if (unproven !== undefined) return [`  Which input breaks it was not found: ${style.clean(unproven)}.`];
  const together = culprits
    .filter((inputs) => inputs.length > 1)
    .map((inputs) => `  ${style.clean(inputs.join(" and "))} break it only together.`);
  if (!isRestGood(validated, found)) return together;
  return [
    ...together,
    `  Without ${style.clean(culprits.flat().join(", "))} ${validated.classes.size === 1 ? "it builds" : "they build"}.`,
  ];
}

/** What landed although the whole did not. */
function partOf(found: Found | undefined, style: Style): readonly string[] {
  if (found?.held !== undefined) {
    const { inputs, why } = found.held;
    return [`  ${style.clean(inputs.join(", "))} did not land without it: ${style.clean(why)}.`];
  }
  if (found?.landed === undefined) return [];
  const { inputs, commit } = found.landed;
  return [`  ${style.clean(inputs.join(", "))} landed as ${commit.slice(0, 7)}.`];
}

/** What it changes on the hosts, a line for each. */
const effectOf = (effect: LandedEffect | undefined, style: Style): readonly string[] =>
  effect === undefined ? [] : effectLines(effect).map((line) => `  ${style.clean(line)}`);

/** Additive only. */
export function updateJson(result: SafeUpdateResult): object {
  if (result.type === "no-change") return { outcome: result.type, base: result.base };
  const { validated } = result;
  return {
    outcome: result.type,
    base: validated.candidate.base,
    commit: validated.candidate.commit,
    build: validated.state.id,
    ...(validated.isRemembered === true ? { remembered: true } : {}),
    inputs: validated.candidate.changes,
    hosts: Object.fromEntries(validated.classes),
    ...(result.type === "infra" ? { missingVerdicts: missingVerdicts(validated) } : {}),
    ...(validated.state.warnings.length === 0 ? {} : { warnings: validated.state.warnings }),
    ...(validated.downstream.length === 0 ? {} : { downstream: validated.downstream.map(downstreamJson) }),
    ...(result.type === "proposed"
      ? {
          branch: result.branch,
          url: result.url,
          why: result.why?.message,
          advice: result.why?.advice,
        }
      : {}),
    ...("found" in result ? { found: foundJson(result.found) } : {}),
    ...(result.effect === undefined ? {} : { effect: result.effect }),
    ...(result.type === "declined" ? { url: result.url } : {}),
    ...(result.type === "dry-run" ? { wouldLand: result.wouldLand } : {}),
  };
}

/** `guilty` was a plain list before there were inputs that are culprits only together. */
const foundJson = (found: Found | undefined): object | undefined =>
  found && {
    ...found,
    guilty: found.culprits.flat(),
    together: found.culprits.filter((inputs) => inputs.length > 1),
  };

const downstreamJson = ({
  repo,
  input,
  required,
  commit,
  state,
  classes,
  reason,
}: DownstreamVerdict): object => ({
  repo,
  input,
  required,
  commit,
  build: state?.id,
  hosts: Object.fromEntries(classes),
  reason,
});

const inputsOf = ({ candidate }: Validated): string => {
  const names = candidate.changes.map(({ path }) => path.join("/").replaceAll(/[^A-Za-z0-9_./-]/g, "_"));
  return names.length > 6 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : names.join(", ");
};

function hostsOf(validated: Validated): string {
  const count = gatedHosts(validated);
  const old = [...validated.classes.values()].filter((each) => each === "pre-existing").length;
  if (old > 0) return `${count - old} of ${count} hosts, and the others did not build before either`;
  return count === 1 ? "the one host" : `all ${count} hosts`;
}

/** What does not build or has no verdict in repos downstream, whether it counts or not. */
function downstreamOf({ downstream }: Validated, style: Style): readonly string[] {
  return downstream.flatMap(({ repo, required, classes, reason }) => {
    const bad = [...classes].filter(([, hostClass]) => !goodClasses.has(hostClass));
    if (bad.length === 0) return [];
    const shown = bad.slice(0, 5).map(([host, hostClass]) => `${repo}/${host} ${classWords(hostClass)}`);
    const more = bad.length > shown.length ? ", …" : "";
    const because = reason === undefined ? "" : `: ${reason}`;
    return [style.clean(`  ${required ? "Required" : "Advisory"}: ${shown.join(", ")}${more}${because}.`)];
  });
}

const goodClasses: ReadonlySet<HostClass> = new Set(["ok", "unchanged", "fixed"]);

function brokenOf(validated: Validated): string {
  const { outcome } = validated;
  const all = gatedHosts(validated);
  if (outcome.type !== "propose") return "it has no verdict on every host";
  const hosts = outcome.hosts.slice(0, 5).join(", ") + (outcome.hosts.length > 5 ? ", …" : "");
  return outcome.label === "build-failure"
    ? `it breaks ${outcome.hosts.length} of ${all} hosts (${hosts})`
    : `${outcome.hosts.length} of ${all} hosts did not build before either (${hosts})`;
}
