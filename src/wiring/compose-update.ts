// Puts an updater for one repo together.
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { hasCode } from "../base/errors.ts";
import { mkdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import type { BuildReader } from "../bus/bus.ts";
import type { Config, RepoSettings } from "../config/schema.ts";
import { readSecret } from "../config/secrets.ts";
import { createForge } from "../forge/create-forge.ts";
import type { Forge } from "../forge/forge.ts";
import type { ClosureDiff } from "../nix/store/closure-diff.ts";
import type { Evaluator } from "../nix/evaluator.ts";
import type { Locker } from "../nix/locker.ts";
import type { Store } from "../nix/store.ts";
import type { Exec } from "../process/exec.ts";
import type { BuildState } from "../protocol/build-state.ts";
import type { RepoName } from "../protocol/names.ts";
import { newBuildId } from "../protocol/ulid.ts";
import { buildWithin } from "../update/judge/build-within.ts";
import { composeProposal } from "../update/propose/compose-proposal.ts";
import { composeReport } from "../update/report/compose-report.ts";
import { createMemoryJournal, openJournal } from "../update/journal.ts";
import { announceError } from "../update/tell/announce.ts";
import { combineOutboxes, createOutbox, type Outbox, type Teller } from "../update/tell/outbox.ts";
import { lockDigest } from "../update/propose/pull-request-marker.ts";
import { redact } from "../redact/redact.ts";
import { redactReport } from "../update/report/redact-report.ts";
import { printBody } from "../update/report/report-markdown.ts";
import { printReport } from "../update/report/report.ts";
import type { SafeUpdateOptions } from "../update/safe-update.ts";
import type { Proposal, ProposalContext, Validated } from "../update/update.ts";
import { compareClosures } from "./compare-closures.ts";
import { createInputHistory } from "./input-history.ts";
import { createNixDownstream } from "./nix-downstream.ts";
import { createNixUpstream } from "./nix-upstream.ts";
import { submodulesOrigin } from "./submodules.ts";
import { lockPathOf, openRepository } from "./open-repository.ts";
import { useNetworkOf } from "./own-network.ts";

export interface ComposeUpdateOptions {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly config: Config;
  readonly repo: RepoName;
  readonly settings: RepoSettings;
  /** `<state>/mirrors`, `<state>/updates`: a local builder shares the mirrors. */
  readonly stateDirectory: string;
  readonly nix: Evaluator & Store & Locker;
  readonly exec: Exec;
  readonly builds: BuildReader;
  /** On NATS, and by a webhook, where there is one. */
  readonly tellers: Tellers;
  readonly dryRun: boolean;
  readonly inputs: readonly string[] | undefined;
  readonly log: Log;
}

export interface Tellers {
  readonly nats: Teller | undefined;
  readonly webhook: Teller | undefined;
}

export interface ComposedUpdate {
  readonly options: SafeUpdateOptions;
  /** The report for people, once there is one; for programs it is beside it. */
  readonly reportFile: string;
}

/** The comparison of closures waits so long for a build of the base that nobody has made yet. */
const baseBuildMs = 10 * 60_000;

export async function composeUpdate(
  parts: ComposeUpdateOptions,
  signal: AbortSignal,
): Promise<ComposedUpdate> {
  const { environment, clock, config, repo, settings, stateDirectory, nix, exec, builds, log } = parts;
  const { update } = settings;
  const directory = join(stateDirectory, "updates", repo);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const credentialsDirectory = environment["CREDENTIALS_DIRECTORY"];
  const repository = openRepository({ repo, settings, stateDirectory, exec, environment, log });
  const secretFiles = [
    settings.credentials?.tokenFile,
    update.forge?.tokenFile,
    ...Object.values(config.inputs.credentials).map(({ tokenFile }) => tokenFile),
    // Whoever knows its address may write to it.
    config.update.webhookFile,
  ].filter((path) => path !== undefined);
  const secret = async (path: string): Promise<string> => readSecret(path, { credentialsDirectory, log });
  const secrets = await Promise.all(secretFiles.map(secret));
  const forge = parts.dryRun ? undefined : await forgeOf(parts, secret, signal);
  const reportFiles = { markdown: join(directory, "report.md"), json: join(directory, "report.json") };
  const journal = parts.dryRun ? createMemoryJournal() : await openJournal(join(directory, "journal.jsonl"));
  const lockPath = lockPathOf(settings);

  async function describe(
    validated: Validated,
    found: ProposalContext,
    until: AbortSignal,
  ): Promise<Proposal> {
    const diffs = await diffsOf(parts, validated, until);
    const run = journal.last("started")?.run ?? "";
    const unavailable = journal.last("resolved")?.unavailable ?? [];
    const facts = { run, repo, branch: settings.branch, diffs, unavailable };
    const whole = composeReport(validated, found, facts);
    const report = redactReport(whole, secrets);
    await writeFile(reportFiles.markdown, printBody(report, "", 1024 * 1024));
    await writeFile(reportFiles.json, printReport(report));
    const lock = lockDigest((await repository.readFile(validated.candidate.commit, lockPath, until)) ?? "");
    const { publishLogs } = update;
    const maxBodyBytes = forge?.maxBodyBytes ?? 60_000;
    return composeProposal(
      { report: whole, lock, states: statesOf(validated), builds, secrets, publishLogs, maxBodyBytes },
      until,
    );
  }

  const { directory: flakeDirectory, branch } = settings;
  const trigger = triggerOf(environment);
  const hosts = giteaHosts(config);
  const inputs = parts.inputs ?? update.inputs;
  return {
    reportFile: reportFiles.markdown,
    options: {
      run: { journal, clock, log },
      source: {
        repo,
        branch,
        lockPath,
        repository,
        upstream: createNixUpstream({
          nix,
          repository,
          directory: flakeDirectory,
          submodulesOrigin: submodulesOrigin(repo, settings),
        }),
        author: update.identity,
        giteaHosts: hosts,
        inputs,
      },
      judging: {
        builds,
        policy: { preExisting: update.preExisting },
        downstream: createNixDownstream({
          config,
          repo,
          settings,
          repository,
          nix,
          open: (name, theirs) =>
            openRepository({ repo: name, settings: theirs, stateDirectory, exec, environment, log }),
        }),
        trigger,
      },
      searching: {
        history: createInputHistory({
          config,
          repo,
          repository,
          directory: flakeDirectory,
          stateDirectory,
          giteaHosts: hosts,
          nix,
          exec,
          environment,
        }),
        search: { parts: update.searchParts, milliseconds: update.searchMinutes * 60_000 },
        partialLanding: update.partialLanding,
      },
      landing: update.landing,
      proposing: {
        forge,
        stale: { remindAfterDays: update.remindAfterDays, closeAfterDays: update.closeAfterDays },
        describe,
      },
      outbox: openOutbox(parts, secrets),
      lease: { self: { machine: hostname(), pid: process.pid, trigger }, isAlive },
      dryRun: parts.dryRun,
    },
  };
}

function openOutbox(
  {
    stateDirectory,
    repo,
    tellers,
    log,
  }: Pick<ComposeUpdateOptions, "stateDirectory" | "repo" | "tellers" | "log">,
  secrets: readonly string[],
): Outbox {
  const open = (name: string, tell: Teller | undefined): Outbox =>
    createOutbox(
      join(stateDirectory, "updates", repo, name),
      async (event, signal) => {
        const { reason } = event;
        await tell?.(reason === undefined ? event : { ...event, reason: redact(reason, secrets) }, signal);
      },
      log,
    );
  return combineOutboxes([open("outbox", tellers.nats), open("outbox-webhook", tellers.webhook)]);
}

/** Tells of an update that could not even be put together. */
export async function announceUncomposed(
  parts: Omit<ComposeUpdateOptions, "nix" | "exec" | "builds" | "inputs">,
  error: unknown,
  signal: AbortSignal,
): Promise<void> {
  if (parts.dryRun) return;
  const { repo, settings, clock } = parts;
  const unknown = { journal: createMemoryJournal(), outbox: openOutbox(parts, []), forge: undefined };
  const options = { repo, branch: settings.branch, clock, ...unknown };
  await announceError(options, error, signal);
}
/** The builds that have logs of what failed. */
const statesOf = ({ state, downstream }: Validated): readonly BuildState[] => [
  state,
  ...downstream.flatMap((each) => each.state ?? []),
];

async function forgeOf(
  { settings, clock, environment }: ComposeUpdateOptions,
  secret: (path: string) => Promise<string>,
  signal: AbortSignal,
): Promise<Forge | undefined> {
  const forge = settings.update.forge;
  if (forge === undefined) return undefined;
  useNetworkOf(environment);
  const { repository: repo, ...rest } = forge;
  return createForge({ ...rest, repo }, { fetch, clock, readSecret: secret }, signal);
}

/** What changes in the systems is worth knowing, but no reason to fail or to wait for long. */
async function diffsOf(
  { builds, repo, nix, log, clock }: ComposeUpdateOptions,
  { candidate, state }: Validated,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ClosureDiff>> {
  try {
    const id = newBuildId(clock.now());
    const wish = { id, repo, commit: candidate.base, requestedBy: "update: what does it change?" };
    const base = await buildWithin({ builds, log, milliseconds: baseBuildMs }, wish, signal);
    return await compareClosures(nix, base, state, log, signal);
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ err: error }, "the base could not be built to compare the systems");
    return new Map();
  }
}

const giteaHosts = (config: Config): readonly string[] =>
  Object.values(config.repos).flatMap(({ update }) =>
    update.forge === undefined || update.forge.kind === "github" ? [] : [new URL(update.forge.url).host],
  );

const triggerOf = (environment: Environment): string =>
  (environment["CI"] ?? "") !== "" ? "ci" : environment["INVOCATION_ID"] === undefined ? "manual" : "timer";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is alive too.
    return hasCode(error, "EPERM");
  }
}
