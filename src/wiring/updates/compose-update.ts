// Puts an updater for one repo together.
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { hasCode } from "../../base/errors.ts";
import { hostname } from "node:os";
import { join } from "node:path";
import { makeDirectory } from "../../base/files/make-directory.ts";
import type { Log } from "../../base/log.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { RepoSettings } from "../../config/repo-schema.ts";
import type { Config } from "../../config/schema.ts";
import { readSecret, resolveSecretPath } from "../../config/secrets.ts";
import { createForge } from "../../forge/create-forge.ts";
import type { Forge } from "../../forge/forge.ts";
import type { Evaluator } from "../../nix/evaluator.ts";
import type { Locker } from "../../nix/locker.ts";
import type { Store } from "../../nix/store.ts";
import type { Exec } from "../../process/exec.ts";
import type { RepoName } from "../../protocol/names.ts";
import { combineOutboxes, createOutbox, type Outbox, type Teller } from "../../notify/outbox.ts";
import type { UpdateEvent } from "../../protocol/update-events.ts";
import { updateNews } from "../../update/tell/update-news.ts";
import { createMemoryJournal, openJournal } from "../../update/journal.ts";
import { announceError } from "../../update/tell/announce.ts";

import { redact } from "../../redact/redact.ts";
import type { SafeUpdateOptions } from "../../update/safe-update.ts";
import { createDescriptions } from "./describe-update.ts";
import { createKeptBuilds, withoutFinding } from "../../update/kept/kept-builds.ts";
import { createKeptFindings } from "../../update/kept/kept-findings.ts";
import { createInputHistory } from "../input-history.ts";
import { createNixDownstream } from "./nix-downstream.ts";
import { createNixUpstream } from "./nix-upstream.ts";
import { submodulesOrigin } from "../submodules.ts";
import { lockPathOf, openRepository } from "../open-repository.ts";
import { useNetworkOf } from "../own-network.ts";

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
  /** Whether everything is built and searched for again, whatever earlier runs were told. */
  readonly fresh: boolean;
  readonly log: Log;
}

export interface Tellers {
  readonly nats: Teller<UpdateEvent> | undefined;
  readonly webhook: Teller<UpdateEvent> | undefined;
}

export interface ComposedUpdate {
  readonly options: SafeUpdateOptions;
  /** The report for people, once there is one; for programs it is beside it. */
  readonly reportFile: string;
}

export async function composeUpdate(
  parts: ComposeUpdateOptions,
  signal: AbortSignal,
): Promise<ComposedUpdate> {
  const { environment, clock, config, repo, settings, stateDirectory, nix, exec, builds, log } = parts;
  const { update } = settings;
  const directory = join(stateDirectory, "updates", repo);
  await makeDirectory(directory, { mode: 0o700 });
  const credentialsDirectory = environment["CREDENTIALS_DIRECTORY"];
  const signingKeyFile =
    config.update.signingKeyFile && resolveSecretPath(config.update.signingKeyFile, credentialsDirectory);
  const repository = openRepository({
    repo,
    settings,
    stateDirectory,
    exec,
    environment,
    log,
    signingKeyFile,
  });
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

  const { describe, explain } = createDescriptions({
    ...parts,
    repository,
    journal,
    reportFiles,
    secrets,
    maxBodyBytes: forge?.maxBodyBytes,
  });

  const keeping = { clean: (text: string) => redact(text, secrets), clock, log };
  const keptBuilds = createKeptBuilds({ ...keeping, directory: join(directory, "builds") });
  const kept = parts.fresh ? withoutFinding(keptBuilds) : keptBuilds;
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
        kept,
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
        keptFindings: parts.fresh
          ? undefined
          : createKeptFindings({ ...keeping, directory: join(directory, "findings") }),
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
      explain,
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
): Outbox<UpdateEvent> {
  const open = (name: string, tell: Teller<UpdateEvent> | undefined): Outbox<UpdateEvent> =>
    createOutbox(
      join(stateDirectory, "updates", repo, name),
      updateNews,
      async (event, signal) => {
        await tell?.(redactEvent(event, secrets), signal);
      },
      log,
    );
  return combineOutboxes([open("outbox", tellers.nats), open("outbox-webhook", tellers.webhook)]);
}

function redactEvent(
  { reason, unavailable, ...event }: UpdateEvent,
  secrets: readonly string[],
): UpdateEvent {
  return {
    ...event,
    ...(reason === undefined ? {} : { reason: redact(reason, secrets) }),
    ...(unavailable === undefined
      ? {}
      : { unavailable: unavailable.map((each) => ({ ...each, reason: redact(each.reason, secrets) })) }),
  };
}

/** Announces an update that could not even be put together. */
export async function announceUncomposed(
  parts: Omit<ComposeUpdateOptions, "nix" | "exec" | "builds" | "inputs" | "fresh">,
  error: unknown,
  signal: AbortSignal,
): Promise<void> {
  if (parts.dryRun) return;
  const { repo, settings, clock } = parts;
  const unknown = { journal: createMemoryJournal(), outbox: openOutbox(parts, []), forge: undefined };
  const options = { repo, branch: settings.branch, clock, ...unknown };
  await announceError(options, error, signal);
}

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
