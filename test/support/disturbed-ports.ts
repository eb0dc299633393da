// The ports of an update, with everything that can go wrong between it and the world: somebody does something in
// between, what it asks cannot be reached, an answer is lost, or its process is killed.
import { HomelabError } from "../../src/base/errors.ts";
import type { SafeUpdateOptions } from "../../src/update/safe-update.ts";

/** Where a call goes to. `disk` is its own machine. */
export type Place = "disk" | "remote" | "forge" | "builders" | "sources";

/** What happens to one call. */
export type Disturbance =
  /** Its process is gone before the call is made, or right after. */
  | { readonly type: "killed-before" | "killed-after" }
  /** The place does not answer; with `after` it has done what was asked. */
  | { readonly type: "away" | "away-after" }
  /** Somebody does something first. */
  | { readonly type: "meanwhile"; readonly act: () => Promise<void> };

/** Is asked about each call, in order. */
export type Disturb = (place: Place) => Disturbance | undefined;

export interface DisturbedRun {
  readonly options: SafeUpdateOptions;
  /** Resolves when its process is gone: nothing that it has begun goes on. */
  readonly killed: Promise<undefined>;
}

export function disturbPorts(options: SafeUpdateOptions, disturb: Disturb): DisturbedRun {
  const { promise: killed, resolve: kill } = Promise.withResolvers<undefined>();
  let isGone = false;

  async function act<Result>(place: Place, call: () => Promise<Result>): Promise<Result> {
    if (isGone) return never();
    const disturbance = disturb(place);
    switch (disturbance?.type) {
      case undefined:
        break;
      case "meanwhile":
        await disturbance.act();
        break;
      case "killed-before":
        return die();
      case "killed-after":
        await call();
        return die();
      case "away":
        throw away(place);
      case "away-after":
        await call();
        throw away(place);
    }
    const result = await call();
    return isGone ? never() : result;
  }
  async function die<Result>(): Promise<Result> {
    isGone = true;
    kill(undefined);
    return never();
  }
  const through =
    (place: Place): Through =>
    (port) =>
    (...args) =>
      act(place, () => port(...args));
  const disk = through("disk");
  const remote = through("remote");
  const atForge = through("forge");
  const builders = through("builders");
  const sources = through("sources");

  const { run, source, judging, searching, proposing, outbox } = options;
  const { journal } = run;
  const { repository, upstream } = source;
  const { mirror } = repository;
  const { builds } = judging;
  const { history } = searching;
  const { forge } = proposing;
  return {
    killed,
    options: {
      ...options,
      run: { ...run, journal: { ...journal, append: disk(journal.append), restart: disk(journal.restart) } },
      source: {
        ...source,
        repository: {
          ...repository,
          mirror: {
            ...mirror,
            resolveBranch: remote(mirror.resolveBranch),
            ensureCommit: remote(mirror.ensureCommit),
          },
          commit: disk(repository.commit),
          remoteRefs: remote(repository.remoteRefs),
          readRemote: remote(repository.readRemote),
          push: remote(repository.push),
        },
        upstream: { updateLock: sources(upstream.updateLock), listHosts: disk(upstream.listHosts) },
      },
      judging: {
        ...judging,
        builds: {
          ...builds,
          submit: builders(builds.submit),
          lastEvent: builders(builds.lastEvent),
          readEvents: builders(builds.readEvents),
          acceptedBuilds: builders(builds.acceptedBuilds),
        },
      },
      searching: {
        ...searching,
        history: {
          direction: sources(history.direction),
          revisions: sources(history.revisions),
          lockAt: sources(history.lockAt),
        },
      },
      outbox: { put: disk(outbox.put), flush: disk(outbox.flush) },
      proposing: {
        ...proposing,
        forge: forge && {
          ...forge,
          repository: atForge(forge.repository),
          branch: atForge(forge.branch),
          deleteBranch: atForge(forge.deleteBranch),
          ensureStatus: atForge(forge.ensureStatus),
          pullRequests: atForge(forge.pullRequests),
          ensurePullRequest: atForge(forge.ensurePullRequest),
          editPullRequest: atForge(forge.editPullRequest),
          closePullRequest: atForge(forge.closePullRequest),
          fastForward: atForge(forge.fastForward),
          activity: atForge(forge.activity),
          comments: atForge(forge.comments),
          ensureComment: atForge(forge.ensureComment),
          editComment: atForge(forge.editComment),
          attach: atForge(forge.attach),
          ensureLabels: atForge(forge.ensureLabels),
          addLabels: atForge(forge.addLabels),
          removeLabels: atForge(forge.removeLabels),
        },
      },
    },
  };
}

type Through = <Arguments extends readonly unknown[], Result>(
  port: (...args: Arguments) => Promise<Result>,
) => (...args: Arguments) => Promise<Result>;

const never = <Result>(): Promise<Result> => new Promise(() => undefined);

const codes: Readonly<Record<Place, string>> = {
  disk: "STATE_UNWRITABLE",
  remote: "GIT_REMOTE",
  forge: "FORGE_UNREACHABLE",
  builders: "NATS_TIMEOUT",
  sources: "INPUT_UPDATE_FAILED",
};

const away = (place: Place): HomelabError =>
  new HomelabError("unavailable", `the ${place} did not answer`, { code: codes[place] });
