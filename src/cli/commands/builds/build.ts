// `homelab-deploy build`: asks for a build, shows it until it is over, and exits with its verdict.
import { userInfo, hostname } from "node:os";
import { HomelabError } from "../../../base/errors.ts";
import type { BuildReader } from "../../../bus/bus.ts";
import {
  parseBranchName,
  parseCommit,
  parseHostName,
  parseRepoName,
  type BuildId,
  type HostName,
  type RepoName,
} from "../../../protocol/names.ts";
import { requestDigest } from "../../../protocol/request-digest.ts";
import type { BuildRequest, Priority } from "../../../protocol/request.ts";
import type { Target } from "../../../protocol/subjects.ts";
import { newBuildId } from "../../../protocol/ulid.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { connectReader, loadCommandConfig } from "../../session/connect.ts";
import { interruptible, type Context } from "../../context.ts";
import { watchBuild, type WatchOptions } from "../../builds/watch-build.ts";

export interface BuildCommandOptions extends WatchOptions {
  readonly all?: boolean | undefined;
  readonly repo?: string | undefined;
  readonly branch?: string | undefined;
  readonly rev?: string | undefined;
  readonly priority?: Priority | undefined;
  readonly detach?: boolean | undefined;
  readonly local?: boolean | undefined;
}

export async function runBuild(
  context: Context,
  hosts: readonly string[],
  options: BuildCommandOptions,
): Promise<number> {
  const { target, request } = decideRequest(hosts, options, context);
  if (options.local === true && options.detach === true) {
    throw new HomelabError("usage", "--detach needs a builder to go on without us, and --local has none", {
      code: "BAD_ARGUMENTS",
      hint: "leave one of them out",
    });
  }
  const starting = interruptible(context.signals);
  await using builds =
    options.local === true
      ? await localBuilds(context, starting.signal)
      : await connectReader(context, starting.signal);
  starting.proceed();
  if (options.detach === true) {
    await builds.reader.submit(target, request, AbortSignal.timeout(options.timeout ?? 30_000));
    context.out.write(
      options.json === true ? `${JSON.stringify({ build: request.id })}\n` : `${request.id}\n`,
    );
    return exitCodes.success;
  }
  return await watchBuild(context, builds.reader, request.id, options, {
    about: requestDigest(target, request),
    submit: (signal) => builds.reader.submit(target, request, signal),
  });
}

interface LocalBuilds extends AsyncDisposable {
  readonly reader: BuildReader;
}

async function localBuilds(context: Context, signal: AbortSignal): Promise<LocalBuilds> {
  const { startLocalBuilder } = await import("../../session/local-builder.ts");
  return startLocalBuilder(context, await loadCommandConfig(context), signal);
}

interface Asked {
  readonly target: Target;
  readonly request: BuildRequest & { readonly id: BuildId };
}

/** @throws HomelabError `usage` for anything that does not name hosts in one way. */
export function decideRequest(
  hosts: readonly string[],
  options: Pick<BuildCommandOptions, "all" | "repo" | "branch" | "rev" | "priority">,
  context: Pick<Context, "environment" | "clock">,
): Asked {
  const usage = (message: string, hint: string): HomelabError =>
    new HomelabError("usage", message, { code: "BAD_ARGUMENTS", hint });
  if (options.all === true && hosts.length > 0) {
    throw usage("--all and names of hosts exclude each other", "leave one of them out");
  }
  if (options.all !== true && hosts.length === 0) {
    throw usage("it is not said which hosts to build", "name hosts, or use --all");
  }
  if (options.branch !== undefined && options.rev !== undefined) {
    throw usage("--branch and --rev exclude each other", "leave one of them out");
  }
  const named = hosts.map((name) => parseNamedHost(name, options.repo));
  const repos = new Set(named.map(({ repo }) => repo));
  if (repos.size > 1)
    throw usage("these hosts are in different repos", "run one command for each repo, or use --all");
  const [first] = named;
  const repo = first?.repo ?? (options.repo === undefined ? "any" : parseRepoName(options.repo));
  const names = named.map(({ host }) => host);
  const isCi = (context.environment["CI"] ?? "") !== "";
  return {
    target: { repo, host: names.length === 1 ? (first?.host ?? "all") : "all" },
    request: {
      id: newBuildId(context.clock.now()),
      ...(names.length > 1 ? { hosts: names } : {}),
      ...(options.branch === undefined ? {} : { branch: parseBranchName(options.branch) }),
      ...(options.rev === undefined ? {} : { rev: parseCommit(options.rev.toLowerCase()) }),
      priority: options.priority ?? (options.all === true ? "batch" : "interactive"),
      trigger: isCi ? "ci" : "manual",
      requestedBy: requester(),
    },
  };
}

/** `host`, or `repo/host`. */
function parseNamedHost(
  name: string,
  repoOption: string | undefined,
): { repo: RepoName | "any"; host: HostName } {
  const slash = name.indexOf("/");
  const repo = slash < 0 ? repoOption : name.slice(0, slash);
  if (slash >= 0 && repoOption !== undefined && repo !== repoOption) {
    throw new HomelabError("usage", `${name} is not in the repo ${repoOption}`, {
      code: "BAD_ARGUMENTS",
      hint: "leave --repo out",
    });
  }
  return {
    repo: repo === undefined ? "any" : parseRepoName(repo),
    host: parseHostName(name.slice(slash + 1)),
  };
}

/** `kai@laptop`, for whoever sees the build. */
function requester(): string {
  let user = "somebody";
  try {
    user = userInfo().username;
  } catch {
    // a user id without a name, as in containers
  }
  return `${user}@${hostname()}`.replaceAll(/[^\u0020-\u007e]/g, "?").slice(0, 120);
}
