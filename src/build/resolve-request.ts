// From a request to exact commits and their hosts.
import type { Clock } from "../base/clock.ts";
import { HomelabError, isUnavailable, messageOf } from "../base/errors.ts";
import { retry, type RetryPolicy } from "../base/retry.ts";
import type { EvaluationMemory, EvaluationOptions, Nix } from "../nix/nix.ts";
import { didYouMean } from "../protocol/did-you-mean.ts";
import type { BuildState } from "../protocol/build-state.ts";
import type { RepoName } from "../protocol/names.ts";
import { variantOf } from "../protocol/overrides.ts";
import type { BuildRequest } from "../protocol/request.ts";
import type { Target } from "../protocol/subjects.ts";
import { decideAcceptance, type Acceptance, type Inventory, type Rejection } from "./decide-acceptance.ts";
import type { Repo } from "./repo.ts";
import type { BuildSource } from "./running-build.ts";

/** With the sources that an accepted build is about, at hand for its start. */
export type Resolution =
  | (Extract<Acceptance, { type: "accept" }> & {
      readonly buildSources: ReadonlyMap<RepoName, BuildSource>;
    })
  | Extract<Acceptance, { type: "reject" }>;

type AcceptedSource = BuildState["sources"][number];

export interface RequestResolver {
  /**
   * @throws HomelabError `unavailable` when git or Nix are out of reach after all attempts; `failed` when a repo's
   *   flake has no list of hosts because it does not evaluate.
   */
  resolve(
    target: Target,
    request: BuildRequest,
    onNote: (note: string) => void,
    signal: AbortSignal,
  ): Promise<Resolution>;
  /** The sources of a build that was accepted before, with their commits made available again. */
  sourcesOf(
    sources: readonly AcceptedSource[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<RepoName, BuildSource>>;
}

export interface RequestResolverOptions {
  readonly repos: ReadonlyMap<RepoName, Repo>;
  readonly nix: Nix;
  readonly memory: EvaluationMemory;
  readonly clock: Clock;
  readonly retryPolicy: RetryPolicy;
  readonly evaluationLimits: Pick<EvaluationOptions, "timeoutMs" | "maxMemoryBytes">;
}

interface FoundInventory extends Inventory {
  readonly buildSource: BuildSource;
}

export function createRequestResolver(options: RequestResolverOptions): RequestResolver {
  const { repos, nix, memory: evaluations, clock, retryPolicy, evaluationLimits } = options;

  /** The commit is here already; those of overrides are fetched, from repos that are configured and no others. */
  async function sourceAt(
    repo: Repo,
    { commit, branch, overrides = [] }: Omit<AcceptedSource, "repo">,
    signal: AbortSignal,
  ): Promise<BuildSource> {
    const { name, mirror, allowImportFromDerivation } = repo;
    const others = overrides.map((override) => ({ override, of: configured(override.repo) }));
    for (const { override, of } of others) await of.mirror.ensureCommit(override.commit, signal);
    const memory = await evaluations.open({
      repo: name,
      commit,
      ...directoryOf(repo),
      overrides: others.map(({ override, of }) => ({ ...override, ...directoryOf(of) })),
      allowImportFromDerivation,
    });
    const sourceOverrides = others.map(({ override: { input, commit: at }, of }) => ({
      input,
      mirror: of.mirror.path,
      commit: at,
      ...directoryOf(of),
    }));
    return {
      repo: name,
      commit,
      variant: variantOf(overrides),
      isHead: branch === repo.branch,
      flake: { mirror: mirror.path, commit, ...directoryOf(repo), overrides: sourceOverrides },
      allowImportFromDerivation,
      memory,
    };
  }

  function configured(name: RepoName): Repo {
    const repo = repos.get(name);
    if (repo !== undefined) return repo;
    throw new HomelabError("usage", `there is no repo ${name}, of which \`overrides\` names a commit`, {
      code: "UNKNOWN_REPO",
      hint: `this builder has ${[...repos.keys()].join(", ")}`,
    });
  }

  async function inventoryOf(
    repo: Repo,
    request: BuildRequest,
    signal: AbortSignal,
  ): Promise<FoundInventory> {
    const branch = request.branch ?? repo.branch;
    const commit = request.rev ?? (await repo.mirror.resolveBranch(branch, signal));
    if (request.rev !== undefined) await repo.mirror.ensureCommit(commit, signal);
    // Polling names the commit that it saw at the head of the branch.
    const isHead = request.rev === undefined || request.trigger === "poll";
    const { overrides } = request;
    const source = {
      repo: repo.name,
      commit,
      ...(isHead && overrides === undefined ? { branch } : {}),
      ...(overrides === undefined ? {} : { overrides }),
    };
    const buildSource = await sourceAt(repo, source, signal);
    const { flake, allowImportFromDerivation, memory } = buildSource;
    const known = memory.inventory();
    if (known !== undefined) return { source, names: known, buildSource };
    const names = await nix.listHosts(flake, { ...evaluationLimits, allowImportFromDerivation }, signal);
    memory.rememberInventory(names);
    return { source, names, buildSource };
  }

  return {
    async resolve(target, request, onNote, signal) {
      const chosen = chooseRepos(target, request, repos);
      if ("code" in chosen) return { type: "reject", ...chosen };
      try {
        const inventories = await Promise.all(
          chosen.map((repo) =>
            retry({
              policy: retryPolicy,
              clock,
              signal,
              attempt: () => inventoryOf(repo, request, signal),
              isTransient: isUnavailable,
              onRetry: (error, attempt) =>
                onNote(
                  `${repo.name}: ${messageOf(error)}; attempt ${attempt} of ${retryPolicy.attempts} follows`,
                ),
            }),
          ),
        );
        const acceptance = decideAcceptance(target, request, inventories, (name, host) =>
          repos.get(name)?.exclusion(host),
        );
        if (acceptance.type === "reject") return acceptance;
        const wanted = new Set(acceptance.sources.map(({ repo }) => repo));
        const buildSources = inventories
          .map(({ buildSource }) => buildSource)
          .filter(({ repo }) => wanted.has(repo));
        return { ...acceptance, buildSources: new Map(buildSources.map((source) => [source.repo, source])) };
      } catch (error) {
        if (!(error instanceof HomelabError) || error.kind !== "usage") throw error;
        const { code = "BAD_REQUEST", message, hint } = error;
        return { type: "reject", code, message, ...(hint === undefined ? {} : { hint }) };
      }
    },
    async sourcesOf(sources, signal) {
      const found = new Map<RepoName, BuildSource>();
      for (const source of sources) {
        const { repo: name, commit } = source;
        const repo = repos.get(name);
        if (repo === undefined) {
          throw new HomelabError("config", `the repo ${name} is not configured here any more`, {
            code: "UNKNOWN_REPO",
          });
        }
        await repo.mirror.ensureCommit(commit, signal);
        found.set(name, await sourceAt(repo, source, signal));
      }
      return found;
    },
  };
}

const directoryOf = ({ directory }: Repo): { readonly directory?: string } =>
  directory === undefined ? {} : { directory };

/** The repos that the target names, or why it names none. */
function chooseRepos(
  target: Target,
  request: BuildRequest,
  repos: ReadonlyMap<RepoName, Repo>,
): readonly Repo[] | Rejection {
  if (request.branch !== undefined && request.rev !== undefined) {
    return {
      code: "BRANCH_AND_REV",
      message: "the request names a branch and a commit",
      hint: "give one of them",
    };
  }
  if (target.repo === "any") {
    if (request.overrides !== undefined) {
      return {
        code: "OVERRIDES_NEED_REPO",
        message: "overrides are about the inputs of one repo's flake, and the request does not say of which",
        hint: "name the repo: publish to build.<repo>.…",
      };
    }
    if (request.rev !== undefined && repos.size > 1) {
      return {
        code: "REV_NEEDS_REPO",
        message: "a commit is in one repo only, and the request does not say in which",
        hint: "name the repo, for example with --repo",
      };
    }
    if (repos.size === 0)
      return {
        code: "NO_REPOS",
        message: "this builder has no repos",
        hint: "add some to `repos` in its configuration",
      };
    return [...repos.values()];
  }
  const repo = repos.get(target.repo);
  if (repo !== undefined) return [repo];
  const near = didYouMean(target.repo, repos.keys());
  return {
    code: "UNKNOWN_REPO",
    message: `there is no repo ${target.repo}`,
    hint: near === undefined ? `this builder has ${[...repos.keys()].join(", ")}` : `did you mean ${near}?`,
  };
}
