// Which of a build's stored logs somebody asks for.
import { HomelabError } from "../../base/errors.ts";
import { nameWithoutVersion } from "../../builder/lanes/usual-durations.ts";
import type { BuildState, HostState } from "../../protocol/build-state.ts";
import { didYouMean } from "../../protocol/did-you-mean.ts";
import type { LogChunk } from "../../protocol/log-chunk.ts";
import { fullName, type FullHostName } from "../../protocol/names.ts";
import { derivationName } from "../../protocol/store-paths/derivation-name.ts";

export interface LogSelection {
  /** What was built for this host, as `host` or `repo/host`. */
  readonly host?: string;
  /** Only of derivations that failed. */
  readonly failed?: boolean;
  /** A derivation's name, with or without its version, or its store path. */
  readonly derivation?: string;
}

/** The hosts that each log is for, by its number, where its chunks name them. */
export type HostsOfLogs = ReadonlyMap<number, readonly FullHostName[]>;

export type IsSelected = (chunk: Pick<LogChunk, "log" | "kind" | "drvPath">) => boolean;

/**
 * A failed derivation is stored twice, live and in full: its full log replaces the live one. A log that names no
 * hosts (many share it, or it ended before it was known) may be for any host that something was built for.
 *
 * @throws HomelabError `usage` when the host is not in the build.
 */
export function selectLogs(state: BuildState, selection: LogSelection, hostsOfLogs: HostsOfLogs): IsSelected {
  const failures = new Map(state.failures.map((failure) => [failure.drvPath as string, failure]));
  const builtFor =
    selection.host === undefined
      ? undefined
      : new Set(namedHosts(state, selection.host).filter(needsBuild).map(fullName));

  const isForHost = ({ log, drvPath }: Parameters<IsSelected>[0]): boolean => {
    if (builtFor === undefined) return true;
    const hosts = failures.get(drvPath)?.hosts.map(fullName) ?? hostsOfLogs.get(log);
    return hosts === undefined ? builtFor.size > 0 : hosts.some((host) => builtFor.has(host));
  };
  return (chunk) => {
    const failure = failures.get(chunk.drvPath);
    if (chunk.kind === "live" && failure?.log !== undefined) return false;
    if (selection.failed === true && failure === undefined) return false;
    return (
      isForHost(chunk) &&
      (selection.derivation === undefined || isCalled(chunk.drvPath, selection.derivation))
    );
  };
}

/** Whether a derivation is the one with this store path, or has this name. */
function isCalled(drvPath: string, text: string): boolean {
  if (text.includes("/")) return drvPath === text;
  const name = derivationName(drvPath);
  return name === text || nameWithoutVersion(name) === text || drvPath.endsWith(`/${text}`);
}

/** Nothing was built for a host whose system was there, or that has no derivation. */
const needsBuild = ({ finished }: HostState): boolean =>
  finished?.verdict !== "unchanged" && finished?.verdict !== "eval-failed" && finished?.verdict !== "skipped";

function namedHosts(state: BuildState, text: string): HostState[] {
  const hosts = [...state.hosts.values()];
  const named = hosts.filter((host) => host.host === text || fullName(host) === text);
  if (named.length > 0) return named;
  const near = didYouMean(
    text.slice(text.indexOf("/") + 1),
    hosts.map(({ host }) => host),
  );
  throw new HomelabError("usage", `${JSON.stringify(text.slice(0, 80))} is not in build ${state.id}`, {
    code: "UNKNOWN_HOST",
    hint:
      near === undefined ? `see its hosts: homelab-deploy builds show ${state.id}` : `did you mean ${near}?`,
  });
}

/** Why nothing was printed. One line, safe to print. */
export function explainNoLogs(state: BuildState, { host, failed, derivation }: LogSelection): string {
  const all = `all logs: homelab-deploy logs ${state.id}`;
  if (derivation !== undefined)
    return `None of these logs is of ${JSON.stringify(derivation.slice(0, 80))}; ${all}`;
  if (host === undefined)
    return failed === true ? "No derivation of this build failed." : "No log is stored of this build.";
  const verdicts = new Set(namedHosts(state, host).map(({ finished }) => finished?.verdict));
  if (verdicts.has("eval-failed")) {
    return `Nothing was built for ${host}: its evaluation failed; see it: homelab-deploy builds show ${state.id} --show-trace`;
  }
  if (failed === true) return `No derivation that ${host} needs failed; ${all}`;
  return verdicts.has(undefined)
    ? `No log is stored yet of what is built for ${host}.`
    : `Nothing was built for ${host}: everything that it needs was there already, or was fetched.`;
}
