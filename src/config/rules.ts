// What a schema cannot say: settings that need, exclude or defeat each other.
import { rolloutProblems, rolloutWarnings, signerProblems } from "./deployer-rules.ts";
import { patternProblem } from "./host-filter.ts";
import { formatPath, type Problem } from "./problems.ts";
import type { NatsSettings } from "./nats-schema.ts";
import type { RepoSettings } from "./repo-schema.ts";
import type { Config } from "./schema.ts";
import { isSameRepository } from "./shared-repository.ts";

/** The role that reads the file: a builder needs repos, a deployer its key and rollouts, the command line often only NATS. */
export type ConfigRole = "builder" | "deployer" | "client";

export interface RuleFindings {
  readonly problems: readonly Problem[];
  /** It works, but hardly as it was meant. */
  readonly warnings: readonly Problem[];
}

/** Checks a configuration that fits the schema. */
export function checkRules(config: Config, role: ConfigRole): RuleFindings {
  const problems: Problem[] = [
    ...natsProblems(config.nats),
    ...listenProblems("metrics.listen", config.metrics.listen),
    ...listenProblems("listener.metrics.listen", config.listener.metrics.listen),
    ...listenProblems("deployer.metrics.listen", config.deployer.metrics.listen),
    ...dashboardProblems(config.dashboard),
    ...cacheProblems(config.cache),
    ...statementProblems(config),
    ...inputsProblems(config.inputs),
    ...notifyProblems("notify", config.notify),
    ...notifyProblems("deployer.notify", config.deployer.notify),
  ];
  const warnings: Problem[] = [...buildWarnings(config.builder.build)];
  const repos = Object.entries(config.repos);
  if (role === "builder" && repos.length === 0) {
    problems.push({ path: "repos", message: "a builder needs at least one repo" });
  }
  if (role === "deployer") problems.push(...deployerProblems(config.deployer));
  for (const [name, rollout] of Object.entries(config.deployer.rollouts)) {
    problems.push(...rolloutProblems(name, rollout), ...signerProblems(name, rollout, config));
    warnings.push(...rolloutWarnings(name, rollout));
  }
  const seen = new Map<string, string>();
  for (const [name, repo] of repos) {
    problems.push(...credentialsProblems(name, repo), ...patternProblems(name, repo));
    problems.push(...ownerProblems(name, repo));
    problems.push(...downstreamProblems(name, repo, config.repos), ...sharedProblems(name, repo, repos));
    warnings.push(...patternWarnings(name, repo));
    const place = JSON.stringify([repo.url, repo.branch, repo.directory ?? ""]);
    const twin = seen.get(place);
    if (twin !== undefined) {
      warnings.push({ path: formatPath(["repos", name]), message: `builds the same as repos.${twin}` });
    }
    seen.set(place, name);
  }
  return { problems, warnings };
}

function* natsProblems({ nkeyFile, credentialsFile, tls }: NatsSettings): Iterable<Problem> {
  if (nkeyFile !== undefined && credentialsFile !== undefined) {
    yield { path: "nats.credentialsFile", message: "cannot stand together with nats.nkeyFile: choose one" };
  }
  if (tls?.certFile !== undefined && tls.keyFile === undefined) {
    yield { path: "nats.tls.certFile", message: "needs nats.tls.keyFile" };
  }
  if (tls?.keyFile !== undefined && tls.certFile === undefined) {
    yield { path: "nats.tls.keyFile", message: "needs nats.tls.certFile" };
  }
}

function* deployerProblems({ keyFile, rollouts }: Config["deployer"]): Iterable<Problem> {
  if (keyFile === undefined) {
    yield { path: "deployer.keyFile", message: "is missing: a deployer signs every order with its key" };
  }
  if (Object.keys(rollouts).length === 0) {
    yield { path: "deployer.rollouts", message: "a deployer needs at least one repo" };
  }
}

function* listenProblems(path: string, listen: string | undefined): Iterable<Problem> {
  const port = Number(listen?.slice(listen.lastIndexOf(":") + 1) ?? 1);
  if (port < 1 || port > 65_535) {
    yield { path, message: "must have a port between 1 and 65535" };
  }
}

const loopback = /^(?:127(?:\.\d{1,3}){3}|\[::1\]|localhost):/;

function* dashboardProblems({ listen, auth }: Config["dashboard"]): Iterable<Problem> {
  if (Number(listen.slice(listen.lastIndexOf(":") + 1)) > 65_535) {
    yield { path: "dashboard.listen", message: "must have a port up to 65535" };
  }
  if (auth.mode === "none") {
    if (!loopback.test(listen)) {
      yield {
        path: "dashboard.listen",
        message:
          "would show the pages to everybody: listen on 127.0.0.1, or set dashboard.auth.mode to proxy",
      };
    }
    return;
  }
  if (auth.trustedProxies.length === 0) {
    yield { path: "dashboard.auth.trustedProxies", message: "needs the address of the proxy" };
  }
  if (auth.proxySecretFile === undefined) {
    yield { path: "dashboard.auth.proxySecretFile", message: "needs the file with the proxy's secret" };
  }
}

function* cacheProblems({ verifyBuilds, url, publicKeys }: Config["cache"]): Iterable<Problem> {
  if (!verifyBuilds) return;
  if (url === undefined) yield { path: "cache.verifyBuilds", message: "needs cache.url" };
  if (publicKeys.length === 0) yield { path: "cache.verifyBuilds", message: "needs cache.publicKeys" };
}

/** What was never asked for at the cache is proven by nothing, and a host could wait for it forever. */
function* statementProblems({ builder, cache }: Config): Iterable<Problem> {
  if (builder.statementKeyFile !== undefined && !cache.verifyBuilds) {
    yield {
      path: "builder.statementKeyFile",
      message: "needs cache.verifyBuilds: only what the cache is proven to serve is stated",
    };
  }
}

function* notifyProblems(
  path: string,
  { ntfyFile, ntfyTokenFile, script }: Config["notify"],
): Iterable<Problem> {
  if (ntfyTokenFile !== undefined && ntfyFile === undefined) {
    yield { path: `${path}.ntfyTokenFile`, message: `needs ${path}.ntfyFile` };
  }
  if (script[0]?.startsWith("/") === false) {
    yield { path: `${path}.script[0]`, message: "must be the absolute path of a program" };
  }
  for (const [index, word] of script.entries()) {
    if (word.includes("\0")) yield { path: `${path}.script[${index}]`, message: "has a NUL character" };
  }
}

function* buildWarnings(build: Config["builder"]["build"]): Iterable<Problem> {
  if (build.silenceSeconds > build.timeoutSeconds) {
    yield {
      path: "builder.build.silenceSeconds",
      message: "never matters, because builder.build.timeoutSeconds is shorter",
    };
  }
}

// ssh expands %, $ and ~ in paths and splits them at spaces (ssh_config(5), TOKENS).
const sshPath = /^(?:\$CREDENTIALS_DIRECTORY)?\/[A-Za-z0-9_./+@=,:-]*$/;

const sshPathMessage = "may have only letters, digits and _ . / + @ = , : - in its path";

function* credentialsProblems(name: string, { url, credentials }: RepoSettings): Iterable<Problem> {
  if (credentials === undefined) return;
  const at = (key: string) => formatPath(["repos", name, "credentials", key]);
  const { tokenFile, sshKeyFile, knownHostsFile } = credentials;
  if (tokenFile !== undefined && !url.startsWith("https://")) {
    yield { path: at("tokenFile"), message: "is only for https:// URLs" };
  }
  for (const [key, path] of Object.entries({ sshKeyFile, knownHostsFile })) {
    if (path === undefined) continue;
    if (!url.startsWith("ssh://")) yield { path: at(key), message: "is only for ssh:// URLs" };
    else if (!sshPath.test(path)) {
      yield { path: at(key), message: sshPathMessage };
    }
  }
}

function* inputsProblems({ credentials }: Config["inputs"]): Iterable<Problem> {
  for (const [host, settings] of Object.entries(credentials)) {
    const at = (...key: readonly string[]) => formatPath(["inputs", "credentials", host, ...key]);
    const { tokenFile, accessTokens, sshKeyFile, knownHostsFile } = settings;
    const port = Number(/:(?<port>\d+)$/.exec(host)?.groups?.["port"] ?? 1);
    if (port > 65_535) yield { path: at(), message: "must have a port between 1 and 65535" };
    if (tokenFile === undefined && sshKeyFile === undefined) {
      yield { path: at(), message: "needs tokenFile or sshKeyFile" };
    }
    if (accessTokens !== undefined && tokenFile === undefined) {
      yield { path: at("accessTokens"), message: "needs tokenFile" };
    }
    for (const [key, path] of Object.entries({ sshKeyFile, knownHostsFile })) {
      if (path === undefined || sshPath.test(path)) continue;
      yield { path: at(key), message: sshPathMessage };
    }
  }
}

function* ownerProblems(name: string, { url, allowOtherOwner }: RepoSettings): Iterable<Problem> {
  if (allowOtherOwner && !url.startsWith("file:///")) {
    yield { path: formatPath(["repos", name, "allowOtherOwner"]), message: "is only for file:/// URLs" };
  }
}

function* downstreamProblems(
  name: string,
  { update }: RepoSettings,
  repos: Config["repos"],
): Iterable<Problem> {
  const seen = new Set<string>();
  for (const [index, { repo }] of update.downstream.entries()) {
    const path = formatPath(["repos", name, "update", "downstream", index, "repo"]);
    if (repo === name) yield { path, message: "is the repo itself" };
    else if (!Object.hasOwn(repos, repo)) yield { path, message: "is not a repo of this configuration" };
    else if (seen.has(repo)) yield { path, message: "stands there twice" };
    seen.add(repo);
  }
}

/** A configured forge implies that the repo is to be updated. */
function* sharedProblems(
  name: string,
  { url, update }: RepoSettings,
  repos: readonly (readonly [string, RepoSettings])[],
): Iterable<Problem> {
  if (update.forge === undefined) return;
  for (const [twin, other] of repos) {
    if (twin === name) return;
    if (other.update.forge === undefined || !isSameRepository(url, other.url)) continue;
    yield {
      path: formatPath(["repos", name, "update", "forge"]),
      message: `is of the same repository as repos.${twin}: only one repo of a repository can be updated`,
    };
  }
}

function* patternProblems(name: string, { include, exclude }: RepoSettings): Iterable<Problem> {
  for (const [key, patterns] of Object.entries({ include, exclude })) {
    for (const [index, pattern] of patterns.entries()) {
      const message = patternProblem(pattern);
      if (message !== undefined) yield { path: formatPath(["repos", name, key, index]), message };
    }
  }
  if (include.length === 0 || exclude.some((pattern) => /^\*+$/.test(pattern))) {
    yield {
      path: formatPath(["repos", name, include.length === 0 ? "include" : "exclude"]),
      message: "leaves no host",
    };
  }
}

function* patternWarnings(name: string, { include, exclude }: RepoSettings): Iterable<Problem> {
  for (const [key, patterns] of Object.entries({ include, exclude })) {
    for (const [index, pattern] of patterns.entries()) {
      if (neverMatches(pattern)) {
        const path = formatPath(["repos", name, key, index]);
        yield { path, message: "can never match the name of a host" };
      }
    }
  }
}

/** A host's name begins and ends with a letter, a digit or `_`, and is neither `all` nor `any`. */
const neverMatches = (pattern: string): boolean =>
  /^[.-]|[.-]$/.test(pattern) || pattern === "all" || pattern === "any";
