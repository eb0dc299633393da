// What `build` asks for: from hosts and options to a request.
import { hostname, userInfo } from "node:os";
import { HomelabError } from "../../base/errors.ts";
import {
  parseBranchName,
  parseCommit,
  parseHostName,
  parseRepoName,
  isHostName,
  type BuildId,
  type RepoName,
} from "../../protocol/names.ts";
import { isHostSelector, type HostSelector } from "../../protocol/host-selectors.ts";
import type { BuildRequest, Priority } from "../../protocol/request.ts";
import type { Target } from "../../protocol/subjects.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import type { Context } from "../context.ts";

export interface Asked {
  readonly target: Target;
  readonly request: BuildRequest & { readonly id: BuildId };
}

/** What is printed next to the hosts' names. */
export interface BuildSpecification {
  readonly all?: boolean;
  /** Names and globs. */
  readonly exclude?: readonly string[];
  readonly repo?: string;
  readonly branch?: string;
  readonly rev?: string;
  readonly changedSince?: string;
  readonly fresh?: boolean;
  readonly priority?: Priority;
}

/** @throws HomelabError `usage` for anything that does not name hosts in one way. */
export function decideRequest(
  hosts: readonly string[],
  options: BuildSpecification,
  context: Pick<Context, "environment" | "clock">,
): Asked {
  const usage = (message: string, hint: string): HomelabError =>
    new HomelabError("usage", message, { code: "BAD_ARGUMENTS", hint });
  if (options.all === true && hosts.length > 0) {
    throw usage("--all and names of hosts exclude each other", "omit one of them");
  }
  if (options.all !== true && hosts.length === 0) {
    throw usage("no hosts are named", "name hosts, or use --all");
  }
  if (options.branch !== undefined && options.rev !== undefined) {
    throw usage("--branch and --rev exclude each other", "omit one of them");
  }
  const named = hosts.map((name) => parseNamedHosts(name, options.repo));
  const repos = new Set(named.map(({ repo }) => repo));
  if (repos.size > 1)
    throw usage("these hosts are in different repos", "run one command for each repo, or use --all");
  const [first] = named;
  const repo = first?.repo ?? (options.repo === undefined ? "any" : parseRepoName(options.repo));
  const excluded = options.exclude ?? [];
  const selectors = [
    ...named.map(({ selector }) => selector),
    ...excluded.map((pattern) => parseSelector(`!${pattern}`, pattern)),
  ];
  const [only] = selectors;
  const isOneHost = selectors.length === 1 && only !== undefined && isHostName(only);
  const isCi = (context.environment["CI"] ?? "") !== "";
  return {
    target: { repo, host: isOneHost ? only : "all" },
    request: {
      id: newBuildId(context.clock.now()),
      hosts: selectors.length > 0 && !isOneHost ? selectors : undefined,
      branch: options.branch === undefined ? undefined : parseBranchName(options.branch),
      rev: options.rev === undefined ? undefined : parseCommit(options.rev.toLowerCase()),
      changedSince:
        options.changedSince === undefined ? undefined : parseCommit(options.changedSince.toLowerCase()),
      fresh: options.fresh,
      priority: options.priority ?? (options.all === true ? "batch" : "interactive"),
      trigger: isCi ? "ci" : "manual",
      requestedBy: requester(),
    },
  };
}

/** `host`, `repo/host`, or either with a glob for the host. */
function parseNamedHosts(
  name: string,
  repoOption: string | undefined,
): { readonly repo: RepoName | "any"; readonly selector: HostSelector } {
  const slash = name.indexOf("/");
  const repo = slash < 0 ? repoOption : name.slice(0, slash);
  if (slash >= 0 && repoOption !== undefined && repo !== repoOption) {
    throw new HomelabError("usage", `${name} is not in the repo ${repoOption}`, {
      code: "BAD_ARGUMENTS",
      hint: "leave --repo out",
    });
  }
  const host = name.slice(slash + 1);
  return {
    repo: repo === undefined ? "any" : parseRepoName(repo),
    // To leave hosts out has an option of its own: a shell takes `!` for its history.
    selector: host.startsWith("!") ? parseHostName(host) : parseSelector(host, host),
  };
}

/** @throws HomelabError `usage` that says what a name may be */
const parseSelector = (selector: string, shown: string): HostSelector =>
  isHostSelector(selector) ? selector : parseHostName(shown);

/** `kai@laptop`, shown with the build. */
/** Who made the request, for people. */
export function requester(): string {
  let user = "somebody";
  try {
    user = userInfo().username;
  } catch {
    // a user id without a name, as in containers
  }
  return `${user}@${hostname()}`.replaceAll(/[^\u0020-\u007e]/g, "?").slice(0, 120);
}
