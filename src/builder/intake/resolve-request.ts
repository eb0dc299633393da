// From a request to exact commits and their hosts.
import type { Clock } from "../../base/clock.ts";
import { withDeadline, type Deadline } from "../../base/deadline.ts";
import { HomelabError, isUnavailable, messageOf } from "../../base/errors.ts";
import { retry, type RetryPolicy } from "../../base/retry.ts";
import type { EvaluationLimits, EvaluationMemory, Evaluator } from "../../nix/evaluator.ts";
import { didYouMean } from "../../protocol/did-you-mean.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { RepoName } from "../../protocol/names.ts";
import { variantOf } from "../../protocol/overrides.ts";
import type { BuildRequest } from "../../protocol/request.ts";
import type { Target } from "../../protocol/subjects.ts";
import { createBranchTips } from "./branch-tips.ts";
import { decideAcceptance, type Acceptance, type Inventory, type Rejection } from "./decide-acceptance.ts";
import type { EvaluateOnly } from "../evaluation/evaluate-only.ts";
import type { Compared } from "./decide-changed.ts";
import { createInputsReader, type ParseInputs } from "./locked-inputs.ts";
import { leaveUnchanged } from "./leave-unchanged.ts";
import { freshMemory } from "./fresh-memory.ts";
import type { PolledCommits } from "./poll-repos.ts";
import type { Repo } from "../repo.ts";
import type { BuildSource } from "../work.ts";

/** With the sources that an accepted build is about, at hand for its start. */
export type Resolution =
  | (Extract<Acceptance, { type: "accept" }> & {
      readonly buildSources: ReadonlyMap<RepoName, BuildSource>;
    })
  | Extract<Acceptance, { type: "reject" }>;

type AcceptedSource = BuildState["sources"][number];

/** The hosts of a commit cannot be listed, and the commit is to blame. */
export class UnlistedHostsError extends HomelabError {
  readonly source: AcceptedSource;

  constructor(error: HomelabError, source: AcceptedSource) {
    super(error.kind, error.message, { code: error.code, hint: error.hint, cause: error.cause });
    this.source = source;
  }
}

export interface RequestResolver {
  /**
   * What a person has to change first, in the request, in a setting or on the remote, is a rejection.
   *
   * @throws HomelabError `unavailable` when git or Nix cannot be reached after all attempts; `failed` when git refuses
   *   the commit; UnlistedHostsError when a repo's flake has no list of hosts because it does not evaluate.
   */
  resolve(
    target: Target,
    request: BuildRequest,
    onNote: (note: string) => void,
    signal: AbortSignal,
  ): Promise<Resolution>;
  /** The sources of a build that was accepted before, with their commits made available again. */
  sourcesOf(
    accepted: Pick<BuildState, "sources" | "fresh">,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<RepoName, BuildSource>>;
}

export interface RequestResolverOptions {
  readonly repos: ReadonlyMap<RepoName, Repo>;
  readonly nix: Evaluator;
  readonly polled: Pick<PolledCommits, "get">;
  readonly memory: EvaluationMemory;
  readonly lockedInputs: ParseInputs;
  readonly clock: Clock;
  readonly retryPolicy: RetryPolicy;
  readonly evaluationLimits: EvaluationLimits;
  readonly evaluate: EvaluateOnly;
}

/** For all that a remote is asked for, retries included. */
const remoteMs = 180_000;
/** For a request for any repo: how long one repo may keep the others waiting. */
const patienceWithOneMs = 45_000;

interface FoundInventory extends Inventory {
  readonly buildSource: BuildSource;
}

export function createRequestResolver(options: RequestResolverOptions): RequestResolver {
  const { repos, nix, polled, memory: evaluations, clock, retryPolicy, evaluationLimits, evaluate } = options;
  const readInputs = createInputsReader(options.lockedInputs);
  const tips = createBranchTips(polled, clock);

  /** The commit is here already; those of overrides are fetched, from repos that are configured and no others. */
  async function sourceAt(
    repo: Repo,
    { commit, branch, overrides = [] }: Omit<AcceptedSource, "repo">,
    isFresh: boolean,
    signal: AbortSignal,
  ): Promise<BuildSource> {
    const { name, mirror, allowImportFromDerivation } = repo;
    const others = overrides.map((override) => ({ override, of: configured(override.repo) }));
    for (const { override, of } of others) await of.mirror.ensureCommit(override.commit, signal);
    const memory = await evaluations.open({
      repo: name,
      commit,
      ...placeOf(repo),
      overrides: others.map(({ override, of }) => ({ ...override, ...placeOf(of) })),
      allowImportFromDerivation,
    });
    const sourceOverrides = others.map(({ override: { input, commit: at }, of }) => ({
      input,
      mirror: of.mirror.path,
      commit: at,
      ...placeOf(of),
    }));
    return {
      repo: name,
      commit,
      variant: variantOf(overrides),
      isHead: branch === repo.branch,
      flake: { mirror: mirror.path, commit, ...placeOf(repo), overrides: sourceOverrides },
      allowImportFromDerivation,
      isFresh,
      memory: isFresh ? freshMemory(memory) : memory,
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

  async function fetchSource(
    repo: Repo,
    request: BuildRequest,
    signal: AbortSignal,
  ): Promise<{ readonly source: Inventory["source"]; readonly buildSource: BuildSource }> {
    const branch = request.branch ?? repo.branch;
    const commit = request.rev ?? (await repo.mirror.resolveBranch(branch, signal));
    if (request.rev !== undefined) await repo.mirror.ensureCommit(commit, signal);
    const isHead =
      request.rev === undefined ||
      (request.trigger === "poll" && (await tips.isPolledHead(repo, commit, signal)));
    const { overrides } = request;
    const source = {
      repo: repo.name,
      commit,
      branch: isHead && overrides === undefined ? branch : undefined,
      overrides,
      tip:
        overrides === undefined &&
        (isHead ? branch === repo.branch : await tips.isTip(repo, commit, request, signal)),
    };
    return { source, buildSource: await sourceAt(repo, source, request.fresh === true, signal) };
  }

  async function namesIn(
    { repo, commit, flake, allowImportFromDerivation, memory }: BuildSource,
    onNote: (note: string) => void,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const known = memory.inventory();
    if (known !== undefined) return known;
    const limits = { ...evaluationLimits, allowImportFromDerivation };
    const names = await withNote(
      {
        clock,
        note: () => onNote(`${repo}: listing the hosts of ${commit.slice(0, 7)}, and fetching its inputs`),
      },
      () => nix.listHosts(flake, limits, signal),
      signal,
    );
    memory.rememberInventory(names);
    return names;
  }

  /** @param patienceMs so long the remote may take; it may continue longer, for whoever asks next. */
  async function inventoryOf(
    repo: Repo,
    request: BuildRequest,
    patienceMs: number,
    onNote: (note: string) => void,
    signal: AbortSignal,
  ): Promise<FoundInventory> {
    const persistently = <T>(attempt: (until: AbortSignal) => Promise<T>, until: AbortSignal): Promise<T> =>
      retry({
        policy: retryPolicy,
        clock,
        signal: until,
        attempt: () => attempt(until),
        isTransient: isUnavailable,
        onRetry: (error, number) =>
          onNote(`${repo.name}: ${messageOf(error)}; attempt ${number} of ${retryPolicy.attempts} follows`),
      });
    const fetching = withDeadline(remoteDeadline(repo.name, remoteMs), signal, (until) =>
      persistently((each) => fetchSource(repo, request, each), until),
    );
    const found = await withDeadline(remoteDeadline(repo.name, patienceMs), signal, () => fetching);
    try {
      const [names, inputs] = await Promise.all([
        persistently((until) => namesIn(found.buildSource, onNote, until), signal),
        found.source.tip === true ? readInputs(repo, found.source.commit, signal) : undefined,
      ]);
      return { ...found, source: { ...found.source, inputs }, names };
    } catch (error) {
      if (!(error instanceof HomelabError) || error.kind !== "failed") throw error;
      throw new UnlistedHostsError(error, found.source);
    }
  }

  /** Which hosts it has is not known before both commits are evaluated. */
  async function compared(
    acceptance: Extract<Acceptance, { type: "accept" }>,
    { buildSource: source }: FoundInventory,
    { changedSince: base, priority = "interactive" }: BuildRequest,
    onNote: (note: string) => void,
    signal: AbortSignal,
  ): Promise<Compared> {
    if (base === undefined) return acceptance;
    const repo = configured(source.repo);
    await withDeadline(remoteDeadline(source.repo, remoteMs), signal, (until) =>
      repo.mirror.ensureCommit(base, until),
    );
    const baseSource = await sourceAt(repo, { commit: base }, false, signal);
    const names = async (): Promise<readonly string[]> => namesIn(baseSource, onNote, signal);
    const parts = { source, base: { source: baseSource, names }, priority, evaluate, onNote };
    return leaveUnchanged(acceptance, parts, signal);
  }

  const remoteDeadline = (repo: RepoName, milliseconds: number): Deadline => ({
    clock,
    milliseconds,
    error: () =>
      new HomelabError("unavailable", `${repo} cannot be read: no end within ${milliseconds / 1000} s`, {
        code: "GIT_REMOTE",
        hint: "check that the server is up and can be reached from this machine",
      }),
  });

  return {
    async resolve(target, request, onNote, signal) {
      const chosen = chooseRepos(target, request, repos);
      if ("code" in chosen) return { type: "reject", ...chosen };
      try {
        const patienceMs = chosen.length > 1 ? patienceWithOneMs : remoteMs;
        const results = await Promise.allSettled(
          chosen.map((repo) => inventoryOf(repo, request, patienceMs, onNote, signal)),
        );
        const { inventories, unresolved } = divide(chosen, results);
        const first = decideAcceptance(
          target,
          request,
          inventories,
          (name, host) => repos.get(name)?.exclusion(host),
          unresolved.map(({ repo, error }) => ({ repo: repo.name, reason: messageOf(error) })),
        );
        if (first.type === "unknown") {
          // It may be in any of them; trying again helps only where one cannot be reached.
          throw (unresolved.find(({ error }) => isUnavailable(error)) ?? unresolved[0])?.error;
        }
        const [only] = inventories;
        const acceptance =
          first.type === "accept" && only !== undefined
            ? await compared(first, only, request, onNote, signal)
            : first;
        if (acceptance.type === "reject") return acceptance;
        const wanted = new Set(acceptance.sources.map(({ repo }) => repo));
        const buildSources = inventories
          .map(({ buildSource }) => buildSource)
          .filter(({ repo }) => wanted.has(repo));
        return { ...acceptance, buildSources: new Map(buildSources.map((source) => [source.repo, source])) };
      } catch (error) {
        if (!(error instanceof HomelabError) || !rejects(error)) throw error;
        const { code = "BAD_REQUEST", message, hint } = error;
        return { type: "reject", code, message, hint };
      }
    },
    async sourcesOf({ sources, fresh = false }, signal) {
      const found = new Map<RepoName, BuildSource>();
      for (const source of sources) {
        const { repo: name, commit } = source;
        const repo = repos.get(name);
        if (repo === undefined) {
          throw new HomelabError("config", `the repo ${name} is not configured here any more`, {
            code: "UNKNOWN_REPO",
          });
        }
        await withDeadline(remoteDeadline(name, remoteMs), signal, async (until) => {
          await repo.mirror.ensureCommit(commit, until);
          found.set(name, await sourceAt(repo, source, fresh, until));
        });
      }
      return found;
    },
  };
}

/** A step that ends sooner needs no note. */
const noteMs = 1_000;
/** Again, because whoever begins to look has not heard it. */
const noteAgainMs = 20_000;

/** Copying a new input, such as nixpkgs, takes minutes. */
async function withNote<T>(
  { clock, note }: { readonly clock: Clock; readonly note: () => void },
  task: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const done = new AbortController();
  const until = AbortSignal.any([signal, done.signal]);
  async function say(): Promise<void> {
    for (let wait = noteMs; ; wait = noteAgainMs) {
      await clock.sleep(wait, until);
      note();
    }
  }
  const saying = say().catch(() => undefined); // aborted
  try {
    return await task();
  } finally {
    done.abort();
    await saying;
  }
}

/** Somebody has to change the request, a setting or a permission first: trying again is of no use. */
const rejects = ({ kind }: HomelabError): boolean =>
  kind === "usage" || kind === "config" || kind === "refused";

interface Unresolved {
  readonly repo: Repo;
  readonly error: unknown;
}

/**
 * What was found, and the repos that cannot be reached, refuse us, are set up wrongly, or whose commit git refuses: these
 * must not keep the others from being built. Where there is only one, or for any other reason, the request has failed.
 */
function divide(
  chosen: readonly Repo[],
  results: readonly PromiseSettledResult<FoundInventory>[],
): { readonly inventories: readonly FoundInventory[]; readonly unresolved: readonly Unresolved[] } {
  const unresolved: Unresolved[] = [];
  for (const [index, repo] of chosen.entries()) {
    const result = results[index];
    if (result?.status !== "rejected") continue;
    const error: unknown = result.reason;
    const isOfRepo =
      error instanceof HomelabError &&
      (error.code === "GIT_REFUSED" || error.kind === "refused" || error.kind === "config");
    if (!(isUnavailable(error) || isOfRepo) || chosen.length === 1) throw error;
    unresolved.push({ repo, error });
  }
  return {
    inventories: results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : [])),
    unresolved,
  };
}

/** What of a repo's settings decides which flake a commit of it is. Keys are left out, because they are compared. */
const placeOf = ({
  directory,
  submodulesOrigin,
}: Repo): { readonly directory?: string; readonly submodulesOrigin?: string } => ({
  ...(directory === undefined ? {} : { directory }),
  ...(submodulesOrigin === undefined ? {} : { submodulesOrigin }),
});

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
        message: "overrides apply to the inputs of one repo's flake, and the request does not name the repo",
        hint: "name the repo: publish to build.<repo>.…",
      };
    }
    if ((request.rev ?? request.changedSince) !== undefined && repos.size > 1) {
      return {
        code: "REV_NEEDS_REPO",
        message: "a commit belongs to one repo, and the request does not name it",
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
