// What the builder does first with a repo, in miniature: its hosts are listed, and one of them is evaluated.
import { HomelabError } from "../../base/errors.ts";
import { firstLine } from "../../base/lines.ts";
import { plainText } from "../../base/terminal-text.ts";
import { createHostFilter } from "../../config/host-filter.ts";
import type { RepoSettings } from "../../config/repo-schema.ts";
import type { Repository } from "../../git/git.ts";
import type {
  EvaluationFailure,
  EvaluationOptions,
  Evaluator,
  FlakeSource,
  HostEvaluation,
} from "../../nix/evaluator.ts";
import { parseFlakeLock, type FlakeLock } from "../../nix/lock/flake-lock.ts";
import { didYouMean } from "../../protocol/did-you-mean.ts";
import { isHostName, type HostName } from "../../protocol/names.ts";
import { lockPathOf } from "../../wiring/open-repository.ts";
import { findingOf, ok, warning, wrong, type Finding } from "./finding.ts";

export interface FlakeParts {
  readonly nix: Evaluator;
  /** Systems that this machine builds for, itself or on others. */
  readonly systems: readonly string[];
  readonly repository: Repository;
  readonly submodulesOrigin: string | undefined;
  readonly limits: Pick<EvaluationOptions, "timeoutMs" | "maxMemoryBytes">;
}

export interface FlakeCheck {
  readonly findings: readonly Finding[];
  /** Undefined where there is none, or it cannot be read. */
  readonly lock: FlakeLock | undefined;
  /** The names of all its hosts. */
  readonly names?: readonly string[];
}

/** How many hosts are tried until one evaluates: a host that does not is itself to blame. */
const mostTried = 3;
const mostNamed = 8;

/** The remote is known to answer, and to have the branch. */
export async function checkFlake(
  repo: string,
  settings: RepoSettings,
  parts: FlakeParts,
  signal: AbortSignal,
): Promise<FlakeCheck> {
  const check = `flake of ${repo}`;
  let lock: FlakeLock | undefined;
  try {
    const { repository, submodulesOrigin } = parts;
    const { mirror } = repository;
    const { branch, directory, allowImportFromDerivation } = settings;
    const commit = await mirror.resolveBranch(branch, signal);
    const file = directory === undefined ? "flake.nix" : `${directory}/flake.nix`;
    if ((await repository.readFile(commit, file, signal)) === undefined) {
      const setting =
        directory === undefined
          ? `set repos.${repo}.directory to its location`
          : `correct repos.${repo}.directory`;
      return { findings: [wrong(check, `there is no ${file} at ${commit.slice(0, 12)}`, setting)], lock };
    }
    const text = await repository.readFile(commit, lockPathOf(settings), signal);
    lock = text === undefined ? undefined : parseFlakeLock(text);
    const source: FlakeSource = { mirror: mirror.path, commit, directory, submodulesOrigin };
    const options = { ...parts.limits, allowImportFromDerivation };
    const names = await parts.nix.listHosts(source, options, signal);
    const { findings, included } = judgeHosts(repo, settings, names);
    const evaluated = await checkEvaluation(repo, { source, options, parts }, included, signal);
    return { findings: [...findings, ...evaluated], lock, names };
  } catch (error) {
    signal.throwIfAborted();
    return { findings: [explained(check, error)], lock };
  }
}

/** For a failed evaluation, the first line is enough here. */
function explained(check: string, error: unknown): Finding {
  const finding = findingOf(check, error);
  if (!(error instanceof HomelabError)) return finding;
  if (error.kind === "unavailable" && error.code === "INVENTORY_FAILED") {
    const advice = "commit a flake.lock that has each input of flake.nix (`nix flake lock`), or";
    return { ...finding, hint: `${advice} see that this machine can fetch those it does not have` };
  }
  if (error.kind !== "failed") return finding;
  const advice = error.hint ?? "fix the flake; `nix flake show` reports the same";
  return { ...finding, message: firstLine(error.message), hint: advice };
}

/** Which hosts the configuration leaves. */
export function judgeHosts(
  repo: string,
  { include, exclude }: Pick<RepoSettings, "include" | "exclude">,
  names: readonly string[],
): { readonly findings: readonly Finding[]; readonly included: readonly HostName[] } {
  const check = `hosts of ${repo}`;
  const exclusion = createHostFilter({ include, exclude });
  const included = names.filter((name) => exclusion(name) === undefined).filter(isHostName);
  if (names.length === 0) {
    const advice = "add hosts to nixosConfigurations of its flake, or take the repo out of repos";
    return { findings: [wrong(check, "its flake has no nixosConfigurations", advice)], included };
  }
  const useless = include.filter((pattern) => {
    const isLeftOut = createHostFilter({ include: [pattern], exclude: [] });
    return names.every((name) => isLeftOut(name) !== undefined);
  });
  const have = `it has ${listed(names)}`;
  if (included.length === 0) {
    const message =
      useless.length === include.length
        ? `include (${include.join(", ")}) matches none of its hosts: ${have}`
        : `include and exclude leave none of its hosts: ${have}`;
    return { findings: [wrong(check, message, adviceFor(repo, useless, names))], included };
  }
  const gone = exclude.filter((name) => isHostName(name) && !names.includes(name));
  const findings = [
    ok(check, `${included.length} of ${names.length} are built`),
    ...gone.map((name) => {
      const near = didYouMean(name, names);
      const guess = near === undefined ? "" : `did you mean ${near}? `;
      return warning(
        check,
        `exclude has ${name}, which is not one of its hosts`,
        `${guess}Correct repos.${repo}.exclude`,
      );
    }),
  ];
  if (useless.length === 0) return { findings, included };
  const message = `include has ${useless.join(", ")}, which matches none of its hosts: ${have}`;
  return { findings: [...findings, warning(check, message, adviceFor(repo, useless, names))], included };
}

function adviceFor(repo: string, useless: readonly string[], names: readonly string[]): string {
  const near = useless.flatMap((pattern) => didYouMean(pattern, names) ?? [])[0];
  return `${near === undefined ? "" : `did you mean ${near}? `}Correct repos.${repo}.include`;
}

const listed = (names: readonly string[]): string => {
  const shown = names.slice(0, mostNamed).map(plainText).join(", ");
  return names.length > mostNamed ? `${shown} and ${names.length - mostNamed} more` : shown;
};

interface Evaluating {
  readonly source: FlakeSource;
  readonly options: EvaluationOptions;
  readonly parts: Pick<FlakeParts, "nix" | "systems">;
}

async function checkEvaluation(
  repo: string,
  { source, options, parts }: Evaluating,
  hosts: readonly HostName[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const check = `evaluation of ${repo}`;
  let failed: Finding | undefined;
  for (const host of hosts.slice(0, mostTried)) {
    const result = await evaluateHost(parts.nix, source, host, options, signal);
    if ("drvPath" in result) {
      const unbuildable = judgeSystem(check, host, result.system, parts.systems);
      return [unbuildable ?? ok(check, `${host} evaluates`)];
    }
    failed = judgeFailure(check, repo, host, result);
    // Whatever it is, another host would have it too.
    if (failed.state === "wrong") break;
  }
  return failed === undefined ? [] : [failed];
}

/** The one place that knows how a host is evaluated. */
async function evaluateHost(
  nix: Evaluator,
  source: FlakeSource,
  host: HostName,
  options: EvaluationOptions,
  signal: AbortSignal,
): Promise<HostEvaluation | EvaluationFailure> {
  for await (const event of nix.evaluate(source, [host], options, signal)) {
    if (event.type === "evaluated") return event.evaluation;
    if (event.type === "failed") return event.failure;
  }
  const message = "the evaluator gave no result for this host";
  return { cause: "infra", message, details: message };
}

const judgeSystem = (
  check: string,
  host: string,
  system: string,
  systems: readonly string[],
): Finding | undefined =>
  // Where nothing is built at all, another finding says so.
  systems.length === 0 || systems.includes(system)
    ? undefined
    : wrong(
        check,
        `${host} is for ${system}, and this machine builds for ${systems.join(", ")}`,
        `add a remote builder for ${system} to nix.conf (builders), or extra-platforms with binfmt; or exclude such hosts`,
      );

/** The set-up is not to blame for an error of the flake itself. */
export function judgeFailure(
  check: string,
  repo: string,
  host: string,
  { cause, message }: Pick<EvaluationFailure, "cause" | "message">,
): Finding {
  const line = firstLine(message);
  switch (cause) {
    case "error":
      return warning(
        check,
        `${host} does not evaluate: ${line}`,
        `see the whole error: homelab-deploy build ${repo}/${host}`,
      );
    case "timed-out":
      return wrong(
        check,
        `${host}: ${line}`,
        "raise builder.evaluation.timeoutSeconds, or give this machine more memory",
      );
    case "out-of-memory":
      return wrong(
        check,
        `${host}: ${line}`,
        "raise builder.evaluation.maxMemoryMiB, or give this machine more memory",
      );
    case "denied":
      return wrong(check, `${host}: ${line}`, "set inputs.credentials for that server");
    case "infra":
      return wrong(
        check,
        `${host}: ${line}`,
        "check that the servers it names are up and can be reached from here",
      );
  }
}
