// Subjects on NATS. Only validated names come in, so a subject always has the expected number of tokens and no
// wildcard that we did not write.
import * as v from "valibot";
import { HomelabError } from "../base/errors.ts";
import {
  parseBuildId,
  parseHostName,
  parseRepoName,
  type BuilderName,
  type BuildId,
  type HostName,
  type RepoName,
} from "./names.ts";
import { RolloutId } from "./rollout/rollout-events.ts";

export const streams = {
  requests: "BUILD_REQUESTS",
  backlog: "BUILD_BACKLOG",
  events: "BUILD_EVENTS",
  logs: "BUILD_LOGS",
  updates: "UPDATE_EVENTS",
  builders: "KV_builders",
  results: "KV_results",
  orders: "DEPLOY_ORDERS",
  deployEvents: "DEPLOY_EVENTS",
  deployOutput: "DEPLOY_OUTPUT",
  rollouts: "ROLLOUT_EVENTS",
  hosts: "KV_hosts",
  holds: "KV_holds",
} as const;

/** Durable consumers of the work queues; only the admin creates them. */
export const consumers = {
  requests: { stream: streams.requests, name: "builder" },
  control: { stream: streams.requests, name: "builder-control" },
  backlog: { stream: streams.backlog, name: "builder-backlog" },
} as const;

/** Which hosts a request is about, as its subject says it. */
export interface Target {
  readonly repo: RepoName | "any";
  readonly host: HostName | "all";
}

/** A dot separates tokens, so inside a host's name it is written `%2E`. */
const hostToken = (host: HostName | "all"): string => host.replaceAll(".", "%2E");

export const requestSubject = ({ repo, host }: Target): string => `build.${repo}.${hostToken(host)}`;

/** @throws HomelabError `usage` for anything but `build.<repo|any>.<host|all>`. */
export function parseRequestSubject(subject: string): Target {
  const tokens = subject.split(".");
  const [prefix, repo, host] = tokens;
  if (tokens.length !== 3 || prefix !== "build" || repo === undefined || host === undefined) {
    throw new HomelabError(
      "usage",
      `${JSON.stringify(subject.slice(0, 200))} is not a subject of a build request`,
      {
        code: "BAD_SUBJECT",
        hint: "publish to build.<repo>.<host>, build.<repo>.all, build.any.<host> or build.any.all; a dot inside a host's name is written %2E",
      },
    );
  }
  return {
    repo: repo === "any" ? repo : parseRepoName(repo),
    host: host === "all" ? host : parseHostName(host.replaceAll("%2E", ".")),
  };
}

/** For a batch request: what is behind `build.` stays as it is. */
export const backlogSubject = (target: Target): string => `build-backlog.${requestSubject(target).slice(6)}`;
/** Where a builder puts it aside, with where it was stored before. Nobody else may say that of a request. */
export const asideSubject = (target: Target): string => `${backlogSubject(target)}.aside`;

export const controlSubject = (id: BuildId): string => `build-control.${id}`;
export const eventSubject = (id: BuildId): string => `build-events.${id}`;
export const updateEventSubject = (repo: RepoName): string => `update-events.${repo}`;
export const logSubject = (id: BuildId, log: number): string => `build-logs.${id}.${log}`;
export const progressSubject = (id: BuildId): string => `build-progress.${id}`;
export const builderStatusSubject = (builder: BuilderName): string => `builder.${builder}.status`;
export const buildResultKey = (id: BuildId): string => `$KV.results.build.${id}`;
/** `=2E` for a dot, because keys of a bucket have no percent sign. */
const keyToken = (host: HostName | "all"): string => host.replaceAll(".", "=2E");
export const hostResultKey = ({ repo, host }: { readonly repo: RepoName; readonly host: HostName }): string =>
  `$KV.results.host.${repo}.${keyToken(host)}`;
export const toldKey = (repo: RepoName): string => `$KV.results.told.${repo}`;
export const builderKey = (builder: BuilderName): string => `$KV.builders.${builder}`;

interface HostOf {
  readonly repo: RepoName;
  readonly host: HostName;
}
export const orderSubject = ({ repo, host }: HostOf): string => `deploy-orders.${repo}.${hostToken(host)}`;
export const deployEventSubject = ({ repo, host }: HostOf): string =>
  `deploy-events.${repo}.${hostToken(host)}`;

/** @throws HomelabError `usage` where the last two tokens name no host. */
export function hostOfSubject(subject: string): HostOf {
  const [repo = "", host = ""] = subject.split(".").slice(-2);
  return { repo: parseRepoName(repo), host: parseHostName(host.replaceAll("%2E", ".")) };
}

export const deployOutputSubject = ({ repo, host }: HostOf): string =>
  `deploy-output.${repo}.${hostToken(host)}`;
export const hostStateKey = ({ repo, host }: HostOf): string => `$KV.hosts.${repo}.${keyToken(host)}`;
export const holdKey = ({
  repo,
  host,
}: {
  readonly repo: RepoName;
  readonly host: HostName | "all";
}): string => `$KV.holds.${repo}.${keyToken(host)}`;

export const rolloutSubject = (id: RolloutId): string => `rollout-events.${id}`;

/** @throws ValiError when the last token is not the id of a rollout. */
export const rolloutIdOfSubject = (subject: string): RolloutId =>
  v.parse(RolloutId, subject.split(".").at(-1));

/** Where the deployer of a repo is asked for a rollout. */
export const startSubject = (repo: RepoName): string => `deployer.${repo}.start`;

/** What the streams republish once a message is stored. The raw subjects also show what the server refused. */
export const live = (subject: string): string => `live.${subject}`;

/** @throws HomelabError `usage` when the last token is not a build id. */
export const buildIdOfSubject = (subject: string): BuildId => parseBuildId(subject.split(".")[1] ?? "");

const replyPattern = /^build-replies(?:\.[A-Za-z0-9_-]{1,64}){1,8}$/;

/** A request can make the builder speak on these subjects only. */
export const isReplySubject = (subject: string): boolean => replyPattern.test(subject);

const deployReplyPattern = /^deploy-replies(?:\.[A-Za-z0-9_-]{1,200}){2}$/;

/** The deployer answers on these subjects only. The first token behind the prefix is the user who asks. */
export const isDeployReplySubject = (subject: string): boolean => deployReplyPattern.test(subject);
export const deployReplySubject = (user: string, token: string): string => `deploy-replies.${user}.${token}`;
