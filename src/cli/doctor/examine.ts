// Everything that doctor looks at, in the order in which one thing needs the other.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import { readSecret, resolveSecretPath } from "../../config/secrets.ts";
import { createForge } from "../../forge/create-forge.ts";
import { openCacheClient } from "../../wiring/compose-cache.ts";
import { useNetworkOf } from "../../wiring/own-network.ts";
import type { Context } from "../context.ts";
import { checkCache } from "./check-cache.ts";
import { checkCertificates } from "./check-certificates.ts";
import { checkClock, clockSources } from "./check-clock.ts";
import { checkForge } from "./check-forge.ts";
import { checkKeyUses, type KeyUse } from "./secrets/check-key-uses.ts";
import { checkMetrics } from "./check-metrics.ts";
import { checkRunners } from "./check-runners.ts";
import { checkScript } from "./check-script.ts";
import { checkSecrets, natsNeed, unseen } from "./secrets/check-secrets.ts";
import { checkOrderKey } from "./secrets/check-order-key.ts";
import { checkStatementKey } from "./secrets/check-statement-key.ts";
import { checkWebhook } from "./check-webhook.ts";
import { examineBuilding, type BuildingCheck } from "./examine-building.ts";
import { orderKeyFile } from "../deploy/order-key.ts";
import { natsTargetOf } from "../session/connect.ts";
import { examineHost, isHost } from "./host/examine-host.ts";
import { examineNats } from "./nats/examine-nats.ts";
import { findingOf, mergeFindings, warning, wrong, type Finding } from "./finding.ts";

export async function examine(context: Context, signal: AbortSignal): Promise<readonly Finding[]> {
  let config: Config;
  const findings: Finding[] = [];
  try {
    const loaded = await loadWithWarnings(context);
    config = loaded.config;
    findings.push(...loaded.findings);
  } catch (error) {
    return [findingOf("configuration", error)];
  }
  useNetworkOf(context.environment);
  let directory: string;
  try {
    directory = await mkdtemp(join(tmpdir(), "homelab-deploy-doctor-"));
  } catch (error) {
    const advice = "see that it is there, has room and can be written, or set TMPDIR to another one";
    return [wrong("temporary directory", `nothing can be kept in ${tmpdir()}: ${messageOf(error)}`, advice)];
  }
  try {
    const secrets = await checkSecrets(config, context.environment["CREDENTIALS_DIRECTORY"]);
    const keys = await checkKeyUses(keyUses(config, context));
    const without = unseen([...secrets, ...keys]);
    const credentials = context.environment["CREDENTIALS_DIRECTORY"];
    const orderKey = without.has("order key") ? [] : await checkOrderKey(context.environment);
    const statementKey = without.has("statement key") ? [] : await checkStatementKey(config, credentials);
    // A configuration with repos is for a builder or for updates; one without repos only requests builds.
    const hasRepos = Object.keys(config.repos).length > 0;
    const nothing: Promise<readonly Finding[]> = Promise.resolve([]);
    const isAHost = await isHost(config);
    // Nobody here has a key but the listener, whose inbox follows from the policy.
    const isOnlyHost = isAHost && !hasRepos && !(await hasInbox(context, config));
    const building = hasRepos
      ? examineBuilding(context, config, { directory, without }, signal)
      : Promise.resolve<BuildingCheck>({ nix: undefined, findings: [] });
    const parts = [
      building.then(({ findings: found }) => found),
      building.then(async ({ nix }) =>
        checkCertificates(context.environment, nix?.settings["ssl-cert-file"]),
      ),
      without.has(natsNeed) || isOnlyHost ? nothing : examineNats(context, config, signal),
      examineForges(context, config, without, signal),
      building.then(async ({ nix, built }) => examineCache(context, config, { nix, built, without }, signal)),
      hasRepos ? checkMetrics(config.metrics, fetch, signal) : nothing,
      examineWebhooks(context, config, without, signal),
      checkScript(config.notify.script),
      hasRepos ? checkClock(clockSources(config), { clock: context.clock, fetch }, signal) : nothing,
      isAHost ? examineHost(context, config, signal) : nothing,
    ];
    const all = [
      ...findings,
      ...secrets,
      ...keys,
      ...orderKey,
      ...statementKey,
      ...(await Promise.all(parts)).flat(),
    ];
    return mergeFindings(all);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function loadWithWarnings({
  options,
  environment,
}: Context): Promise<{ readonly config: Config; readonly findings: readonly Finding[] }> {
  const [{ loadConfig, defaultConfig }, { formatProblem }] = await Promise.all([
    import("../../config/load.ts"),
    import("../../config/problems.ts"),
  ]);
  const file = options.config ?? environment["HOMELAB_DEPLOY_CONFIG"];
  if (file === undefined || file === "") return { config: defaultConfig(), findings: [] };
  const { config, warnings } = await loadConfig(file);
  const findings = warnings.map((problem) =>
    warning("configuration", formatProblem(problem), `correct it in ${file}`),
  );
  return { config, findings };
}

/** Whether somebody signs in from here by a key of their own. What cannot be read is told by who looks at NATS. */
const hasInbox = async (context: Context, config: Config): Promise<boolean> =>
  natsTargetOf(context, config).then(
    ({ inboxPrefix }) => inboxPrefix !== undefined,
    () => true,
  );

/** The secrets that can be read here; a credential exists only inside its service. */
function keyUses({ nats, builder, deployer }: Config, { environment }: Context): readonly KeyUse[] {
  const credentials = environment["CREDENTIALS_DIRECTORY"] ?? "";
  const named: readonly (readonly [string, string | undefined, KeyUse["use"], string])[] = [
    ["nats.nkeyFile", nats.nkeyFile, "signs in", natsNeed],
    ["builder.statementKeyFile", builder.statementKeyFile, "signs", "statement key"],
    ["deployer.keyFile", deployer.keyFile, "signs", "deployer key"],
    ["HOMELAB_DEPLOY_KEY", orderKeyFile(undefined, environment), "signs", "order key"],
  ];
  return named.flatMap(([setting, file, use, check]) =>
    file === undefined || (credentials === "" && file.startsWith("$CREDENTIALS_DIRECTORY/"))
      ? []
      : [{ setting, path: resolveSecretPath(file, credentials), use, check }],
  );
}

/** Somebody waits for the answer. */
const impatient = { attempts: 2, firstDelayMs: 500, factor: 1, maxDelayMs: 500 };

async function examineForges(
  { environment, clock }: Context,
  { repos }: Config,
  without: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const findings = Object.entries(repos).map(async ([repo, { branch, update }]) => {
    if (update.forge === undefined || without.has(`forge of ${repo}`)) return [];
    const { repository, ...rest } = update.forge;
    const settings = { ...rest, repo: repository };
    const source = { credentialsDirectory: environment["CREDENTIALS_DIRECTORY"], log: silentLog };
    const readToken = async (file: string): Promise<string> => readSecret(file, source);
    const parts = { fetch, clock, readSecret: readToken, timeoutMs: 10_000, retryPolicy: impatient };
    const signIn = async () => createForge(settings, parts, signal);
    const found = await checkForge({ repo, branch }, signIn, signal);
    // Without a working token no more can be checked.
    if (found.length === 1) return found.map((finding) => unreachableAt(settings.url, finding));
    return [...found, ...(await checkRunners(repo, settings, branch, parts, signal))];
  });
  return (await Promise.all(findings)).flat();
}

/** A forge that is away is away as the remote of its repositories too, and for all of them. */
const unreachableAt = (url: string, finding: Finding): Finding =>
  finding.code === "FORGE_UNREACHABLE"
    ? { ...finding, cause: `no answer from ${URL.parse(url)?.hostname ?? url}` }
    : finding;

interface CachePlace extends Pick<BuildingCheck, "nix" | "built"> {
  readonly without: ReadonlySet<string>;
}

async function examineCache(
  context: Context,
  { cache }: Config,
  { nix, built, without }: CachePlace,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { url, secretKeyFile } = cache;
  const credentials = context.environment["CREDENTIALS_DIRECTORY"];
  const isHere = secretKeyFile?.startsWith("/") === true || (credentials ?? "") !== "";
  const trusted = nix?.settings["trusted-public-keys"];
  return checkCache(
    without.has("cache") ? { ...cache, url: undefined } : cache,
    {
      openClient: async () => openCacheClient({ ...cache, attempts: 2 }, url ?? "", context, signal),
      secretKeyFile:
        secretKeyFile === undefined || !isHere || without.has("cache secret key")
          ? undefined
          : resolveSecretPath(secretKeyFile, credentials),
      nix:
        nix === undefined
          ? undefined
          : {
              storeDirectory: nix.storeDirectory,
              trustedKeys: Array.isArray(trusted) ? trusted.map(String) : [],
              built,
            },
    },
    signal,
  );
}

async function examineWebhooks(
  { environment }: Context,
  { update, notify, deployer }: Config,
  without: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const source = { credentialsDirectory: environment["CREDENTIALS_DIRECTORY"], log: silentLog };
  const receivers = [
    { check: "webhook", setting: "update.webhookFile", file: update.webhookFile },
    { check: "webhook for builds", setting: "notify.webhookFile", file: notify.webhookFile },
    { check: "ntfy", setting: "notify.ntfyFile", file: notify.ntfyFile },
    {
      check: "webhook for rollouts",
      setting: "deployer.notify.webhookFile",
      file: deployer.notify.webhookFile,
    },
    { check: "ntfy for rollouts", setting: "deployer.notify.ntfyFile", file: deployer.notify.ntfyFile },
  ];
  return Promise.all(
    receivers.flatMap(({ file, ...receiver }) =>
      file === undefined || without.has(receiver.check)
        ? []
        : [checkWebhook(receiver, async () => readSecret(file, source), fetch, signal)],
    ),
  );
}
