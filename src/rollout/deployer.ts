// The deployer of one repo: begins rollouts by itself or when it is asked, and carries out one at a time.
import { createNotifier } from "../base/notifier.ts";
import { hasCode, HomelabError, isUnavailable } from "../base/errors.ts";
import type { HostFacts, StatedClosure } from "../deploy/ordering/decide-plan.ts";
import { readSummaries } from "../fleet/read-results.ts";
import type { Commit, HostName, StorePath } from "../protocol/names.ts";
import { isOfTip } from "../protocol/events.ts";
import { newRolloutId, type RolloutId } from "../protocol/rollout/rollout-events.ts";
import type { Rollout } from "../protocol/rollout/rollout.ts";
import type { StartAnswer, StartRequest } from "../protocol/rollout/start-request.ts";
import { answerStart, type PlannedFor } from "./answer-start.ts";
import type { NewRollout } from "./decide-start.ts";
import type { DeployerParts } from "./deployer-parts.ts";
import { createGreenBuilds } from "./find-green-build.ts";
import { createKnownRollouts } from "./known-rollouts.ts";
import { planRollout, type RolloutPlan } from "./plan-rollout.ts";
import type { StatementSpecification } from "./find-statements.ts";
import { readFacts } from "./read-facts.ts";
import { createSignedStart } from "./signed-start.ts";
import { runRollout } from "./run-rollout.ts";

/** What nobody told us of is found at the latest after this. */
const lookEveryMs = 15_000;
const retryMs = 5000;
const stuckMs = 60_000;
/** How many commits of the branch are read, to see what is newer than a commit. */
const commitsKnown = 100;

/**
 * Runs until the signal aborts.
 *
 * @throws the signal's reason, and HomelabError for a problem that does not resolve by itself, such as a missing permission
 */
export async function runDeployer(parts: DeployerParts, signal: AbortSignal): Promise<never> {
  const { repo, settings, reader, bus, rollouts, watcher, clock, log, by } = parts;
  const notifier = createNotifier();
  const greens = createGreenBuilds(reader, repo, settings.branch);
  const { whenOnlineMs } = settings;
  const known = createKnownRollouts({ repo, rollouts, whenOnlineMs, clock, log });
  let heardSince = clock.now();

  const signedStart = createSignedStart(parts);
  watcher.watch((news) => {
    if (news.type === "connection") heardSince = clock.now();
    notifier.notify();
  }, signal);
  rollouts.watchRollouts(() => notifier.notify(), signal);

  /** Statements of another branch do not concern us, and a host would refuse them. */
  const isOurs = (stated: StatedClosure | undefined, commit: Commit): boolean =>
    stated?.statement.branch === settings.branch && stated.statement.commit === commit;

  /** @param seen what was read of hosts a moment ago: it will do where it is of this commit */
  const factsOf = async (
    hosts: readonly HostName[],
    commit: Commit,
    build: Rollout["build"],
    seen: readonly HostFacts[] = [],
  ): Promise<readonly HostFacts[]> => {
    const fitting = new Map(
      seen.filter(({ stated }) => isOurs(stated, commit)).map((each) => [each.address.host, each]),
    );
    const found = hosts.flatMap((host) => fitting.get(host) ?? []);
    if (found.length === hosts.length) return found;
    const chosen = hosts.map((host) => ({ repo, host }));
    const read = async (specification: StatementSpecification) =>
      readFacts({ reader, bus }, () => chosen, specification, signal);
    // A build whose events are gone is no longer listed, but its rows may still have what it stated.
    const facts = await read(build === undefined ? { commit } : { build }).catch(async (error: unknown) => {
      if (!(error instanceof HomelabError) || error.kind === "unavailable" || build === undefined)
        throw error;
      return read({ commit });
    });
    return facts.map((each) => (isOurs(each.stated, commit) ? each : { ...each, stated: undefined }));
  };

  async function newerThan(commit: Commit): Promise<ReadonlySet<string>> {
    const ids = await reader.acceptedBuilds(commitsKnown, signal);
    const summaries = await readSummaries(reader, ids, new Map(), signal);
    const commits = summaries.flatMap(({ sources }) =>
      sources
        .filter((source) => source.repo === repo && source.branch === settings.branch && isOfTip(source))
        .map((source) => source.commit),
    );
    const at = commits.indexOf(commit);
    return new Set(at < 0 ? [] : commits.slice(0, at).filter((each) => each !== commit));
  }

  async function plan(
    { wanted, commit, build, policy, trigger }: PlannedFor,
    seen?: readonly HostFacts[],
  ): Promise<RolloutPlan> {
    const [hosts, newerCommits, before] = await Promise.all([
      factsOf(wanted, commit, build, seen),
      newerThan(commit),
      trigger === "person" ? [] : known.read(signal),
    ]);
    const broken = new Set(
      before.flatMap((each) => each.wentBack.map(({ host, path }) => `${host} ${path ?? ""}`)),
    );
    const wentBack = (host: HostName, path: StorePath): boolean => broken.has(`${host} ${path}`);
    return planRollout({ hosts, policy, newerCommits, wentBack }, clock.now());
  }

  async function statements(
    { commit, build }: Rollout,
    hosts: readonly HostName[],
  ): Promise<ReadonlyMap<HostName, StatedClosure>> {
    const facts = await factsOf(hosts, commit, build);
    return new Map(
      facts.flatMap(({ address, stated }) => (stated === undefined ? [] : [[address.host, stated]])),
    );
  }

  async function create(
    rollout: NewRollout & Pick<Rollout, "retryOf">,
    asked: { readonly by: string; readonly reason?: string; readonly policy: Rollout["policy"] },
  ): Promise<RolloutId> {
    const id = newRolloutId(clock.now());
    const { hosts, ...what } = rollout;
    const at = clock.now().toISOString();
    const event = { type: "created" as const, rollout: id, repo, at, ...asked, ...what, hosts: [...hosts] };
    await rollouts.appendRolloutEvent({ ...event, branch: settings.branch }, 0, signal);
    log.info({ repo, rollout: id, commit: what.commit, trigger: what.trigger }, "a rollout was created");
    notifier.notify();
    return id;
  }

  const answer = async (request: StartRequest): Promise<StartAnswer> =>
    answerStart({ parts, readKnown: async () => known.read(signal), plan, create }, request, signal);

  async function step(): Promise<void> {
    const before = await known.read(signal);
    const states = new Map((await bus.hostStates(signal, repo)).map((state) => [state.host, state]));
    const green = settings.automatic ? await greens.newest(signal) : undefined;
    const facts = { settings, rollouts: before, green, states, now: clock.now() };
    const next = await signedStart(facts, signal);
    switch (next?.type) {
      case "run": {
        const sources = {
          plan: async (rollout: Rollout) => plan(rollout),
          statements,
          hearsSince: () => heardSince,
        };
        const ended = await runRollout(parts, sources, next.rollout, signal);
        log.info({ repo, rollout: ended.id, outcome: ended.end?.outcome }, "a rollout has ended");
        return;
      }
      case "supersede": {
        const { sequence } = await rollouts.readRollout(next.rollout, signal);
        const about = { rollout: next.rollout, repo, at: clock.now().toISOString() };
        const detail = `${next.by} takes its place`;
        await rollouts.appendRolloutEvent(
          { type: "finished", ...about, outcome: "superseded", detail },
          sequence,
          signal,
        );
        return;
      }
      case "create":
        await create(next.rollout, { by, policy: settings.policy });
        return;
      case undefined:
        await wait();
    }
  }

  /** Until `notify` is called, and at most so long. */
  async function wait(): Promise<void> {
    const enough = new AbortController();
    const until = AbortSignal.any([signal, enough.signal]);
    await Promise.race([
      notifier.wait(until).catch(() => undefined),
      clock.sleep(lookEveryMs, until).catch(() => undefined),
    ]);
    enough.abort();
  }

  rollouts.answerStarts(repo, answer, signal);
  for (;;) {
    signal.throwIfAborted();
    try {
      await step();
    } catch (error) {
      signal.throwIfAborted();
      if (!isUnavailable(error)) {
        if (!(error instanceof HomelabError) || hasCode(error, "NATS_PERMISSION")) throw error;
        // This concerns one rollout, or this repo alone. The others continue.
        log.error(
          { repo, err: error, hint: error.hint },
          "a rollout cannot continue; looking again in a minute",
        );
        await clock.sleep(stuckMs, signal);
        continue;
      }
      const hint = error instanceof HomelabError ? error.hint : undefined;
      log.warn({ repo, err: error, hint }, "rollouts wait: NATS cannot be reached");
      await clock.sleep(retryMs, signal);
    }
  }
}
