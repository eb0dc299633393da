// What a verification of the cache found, for people and as JSON.
import { attribute, type TopProof } from "../../../cache/attribute.ts";
import { countProblems, type Finding } from "../../../cache/finding.ts";
import { pathProblems } from "../../../narinfo/path-problem.ts";
import type { RepairOutcome } from "../../../cache/repair.ts";
import type { Verification } from "../../../cache/verify.ts";
import type { CacheTarget, CacheTargets } from "../../cache/cache-targets.ts";
import { formatBytes } from "../../../words/duration.ts";
import type { Style } from "../style.ts";
import { renderTable } from "./table.ts";

export interface CacheVerification extends CacheTargets {
  readonly url: string;
  readonly keys: readonly string[];
  readonly content: "start" | "whole";
  /** Whether hashes, sizes and references were compared with this machine's store. */
  readonly comparedWithStore: boolean;
  /** After the repairs, where there were some. */
  readonly verification: Verification;
  readonly repairs?: Pick<RepairOutcome, "repaired" | "left">;
}

/** How many findings are shown to people; `--json` has all. */
const mostShown = 50;

/** Everything is proven, and there was something to prove. */
const isAllServed = ({ verification, targets }: CacheVerification): boolean =>
  verification.findings.length === 0 && targets.length > 0;

export function verificationJson(result: CacheVerification): object {
  const { url, keys, content, comparedWithStore, verification, repairs, targets, unbuilt } = result;
  const proofs = attribute(pathsOf(targets), verification);
  return {
    cache: url,
    keys,
    served: isAllServed(result),
    content,
    comparedWithStore,
    paths: verification.closure.size,
    bytes: bytesOf(verification),
    asked: verification.asked,
    contentAsSaid: verification.asSaid,
    targets: targets.map(({ name, path }) => {
      const { paths = 0, bytes = 0, findings = [] } = proofs.get(path) ?? {};
      return { name, path, cached: findings.length === 0, paths, bytes, notServed: findings.length };
    }),
    unbuilt,
    repaired: repairs?.repaired,
    notRepaired: repairs && Object.fromEntries(repairs.left),
    findings: verification.findings.map((finding) => ({
      ...finding,
      neededBy: neededBy(finding, targets, proofs),
    })),
  };
}

export function renderVerification(
  result: CacheVerification,
  { style, width }: { readonly style: Style; readonly width?: number },
): string {
  const { targets, verification, unbuilt } = result;
  const proofs = attribute(pathsOf(targets), verification);
  const table = renderTable(
    {
      columns: [
        { title: "System", flexible: true },
        { title: "Cache" },
        { title: "Paths", align: "right" },
        { title: "Size", align: "right" },
        { title: "Not served", flexible: true },
      ],
      rows: [
        ...targets.map(({ name, path }) => proofRow(name, proofs.get(path), style)),
        ...unbuilt.map((name) => [style.clean(name), style.dim("never built"), "", "", ""]),
      ],
    },
    { style, width },
  );
  const findings = renderFindings(result, proofs, style);
  return `${[...table, "", ...findings, conclusion(result, style)].join("\n")}\n`;
}

const pathsOf = (targets: readonly CacheTarget[]): ReadonlySet<CacheTarget["path"]> =>
  new Set(targets.map(({ path }) => path));

function proofRow(name: string, proof: TopProof | undefined, style: Style): string[] {
  const { paths = 0, bytes = 0, findings = [] } = proof ?? {};
  const isServed = proof !== undefined && findings.length === 0;
  const onlyUnanswered = findings.every(({ problem }) => problem === "unanswered");
  const onlyUnknown = findings.every(({ problem }) => problem === "unanswered" || problem === "refused");
  const sign = isServed
    ? `${style.green(style.glyphs.success)} served`
    : onlyUnanswered
      ? style.yellow(`${style.glyphs.unknown} no answer`)
      : onlyUnknown
        ? style.yellow(`${style.glyphs.unknown} refused`)
        : style.red(`${style.glyphs.failure} not served`);
  return [style.clean(name), sign, String(paths), formatBytes(bytes), countProblems(findings)];
}

function renderFindings(
  { verification: { findings }, targets, repairs }: CacheVerification,
  proofs: ReadonlyMap<string, TopProof>,
  style: Style,
): readonly string[] {
  const shown = pathProblems
    .flatMap((problem) => findings.filter((finding) => finding.problem === problem))
    .slice(0, mostShown);
  const lines = shown.flatMap((finding) => {
    const { problem, path, detail } = finding;
    const names = neededBy(finding, targets, proofs);
    const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
    const of = names.length === 0 ? "" : ` (${names.slice(0, 3).join(", ")}${more})`;
    const left = repairs?.left.get(path);
    return [
      `${style.red(problem)} ${path}${style.clean(of)}`,
      `    ${style.clean(detail)}`,
      ...(left === undefined ? [] : [`    not repaired: ${style.clean(left)}`]),
    ];
  });
  const left = findings.length - shown.length;
  if (left > 0) lines.push(style.dim(`and ${left} more; --json has all of them`));
  return lines.length === 0 ? [] : [...lines, ""];
}

const neededBy = (
  { path }: Finding,
  targets: readonly CacheTarget[],
  proofs: ReadonlyMap<string, TopProof>,
): readonly string[] =>
  targets
    .filter((target) => proofs.get(target.path)?.findings.some((finding) => finding.path === path) === true)
    .map(({ name }) => name);

function conclusion(result: CacheVerification, style: Style): string {
  const { url, content, comparedWithStore, verification, repairs } = result;
  const { closure, asked, findings, asSaid } = verification;
  const count = `${closure.size} paths (${formatBytes(bytesOf(verification))})`;
  const how = [
    asked < closure.size ? `only ${asked} asked for` : "all asked for now",
    ...(content === "whole" ? ["every NAR of these read and hashed"] : []),
    ...(comparedWithStore ? [] : ["not compared with a store"]),
  ].join(", ");
  const repaired = repairs?.repaired.length ?? 0;
  const mended = repaired === 0 ? "" : ` ${repaired} repaired.`;
  const notes =
    asSaid.length === 0
      ? ""
      : `\n${style.yellow("note:")} ${asSaid.length} NARs are compressed in a way that cannot be undone here: only what the cache itself says of them was compared.`;
  if (closure.size === 0 && findings.length === 0)
    return `${style.yellow(style.glyphs.unknown)} ${url} was asked for nothing: no system to prove was ever built`;
  const unknown = findings.filter(({ problem }) => problem === "refused" || problem === "unanswered");
  if (findings.length > 0 && unknown.length === findings.length)
    return `${style.yellow(style.glyphs.unknown)} of ${url} nothing is known about ${findings.length} of ${count}: ${how}.${mended}${hintOf(unknown)}${notes}`;
  if (findings.length === 0)
    return `${style.green(style.glyphs.success)} ${url} serves ${count}: ${how}.${mended}${notes}`;
  return `${style.red(style.glyphs.failure)} ${url} does not serve ${findings.length} of ${count}: ${how}.${mended}${notes}`;
}

const hintOf = (unknown: readonly Finding[]): string =>
  unknown.some(({ problem }) => problem === "refused")
    ? "\nhint: set cache.netrcFile where the cache wants a name and password"
    : "";

const bytesOf = ({ closure }: Verification): number =>
  closure.values().reduce((sum, { narSize }) => sum + narSize, 0);
