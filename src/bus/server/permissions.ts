// What each user may publish and subscribe to: allow lists only, as short as the port's calls permit. The subjects
// behind each call were traced with `nats-server -DV`. `accounts.ts` says which account a user lives in.
//
// Nobody but the admin may create consumers: a consumer delivers stored messages to a subject of its creator's
// choice, also to one that the creator may not publish to (nats-server issue 8274).
import { HomelabError } from "../../base/errors.ts";
import type { BuilderName, HostName, RepoName } from "../../protocol/names.ts";
import { builderKey, builderStatusSubject, consumers, live, streams } from "../../protocol/subjects.ts";
import {
  anyHost,
  askingForRollouts,
  holding,
  listening,
  ordering,
  readingDeployments,
  readingHosts,
  rollingOut,
  subjectsOf,
} from "./deploy-permissions.ts";
import { api, both, directGet, type Permissions } from "./permission-lists.ts";

/** People and pipelines may share a role, each with a key and a name of their own. */
export type Identity =
  | { readonly role: "admin" | NamedRole; readonly name?: string }
  | { readonly role: "builder"; readonly name: BuilderName }
  /** Without a repo it is as earlier releases printed it: a key that may do nothing yet. */
  | { readonly role: "listener"; readonly host: HostName; readonly repo?: RepoName }
  /** Whoever reaches a private server on the loopback, without a key: see `up`. */
  | { readonly role: "local"; readonly name?: undefined };

export type NamedRole = "operator" | "ci" | "updater" | "dashboard" | "deployer";
export type Role = Identity["role"];

/** Somebody with a key. */
export type NatsUser = Identity & { readonly publicKey: string };

/** `operator`, `operator-alice`, `builder-cache1`, `host-servers_web1`: one token of a subject. */
export function userLabel(user: Identity): string {
  const label =
    user.role === "listener"
      ? // No repo has a `_` in its name, so that it ends at the first one.
        `host-${user.repo === undefined ? "" : `${user.repo}_`}${user.host.replaceAll(".", "_")}`
      : user.name === undefined
        ? user.role
        : `${user.role}-${user.name}`;
  if (!/^[A-Za-z0-9_-]{1,200}$/.test(label)) {
    throw new HomelabError("usage", `${JSON.stringify(label.slice(0, 80))} cannot name a NATS user`, {
      code: "BAD_NAME",
      hint: "use letters, digits, '_' and '-'",
    });
  }
  return label;
}

/**
 * What a client of this user must use as `nats.inboxPrefix`. Nobody else may listen there. Whoever needs no key
 * keeps the library's own prefix, so that every client works without being told one.
 */
export const inboxPrefixOf = (user: Identity): string =>
  user.role === "local" ? "_INBOX" : `_INBOX_${userLabel(user)}`;

/**
 * Every user may subscribe here, and nothing is ever published. A key that may not has permissions that an earlier
 * release printed, in which clients shared the builders' account. Raised with each change that a server must follow.
 */
export const permissionsMarker = "homelab-deploy.permissions.2";

/**
 * What the server makes of the reply subject of a request that comes from another account.
 * https://github.com/nats-io/nats-server/blob/main/server/accounts.go (`newServiceReply`)
 */
export const importedReplies = "_R_.>";

const streamInfo = Object.values(streams).map((stream) => `${api}.STREAM.INFO.${stream}`);
const consumerInfo = Object.values(consumers).map(
  ({ stream, name }) => `${api}.CONSUMER.INFO.${stream}.${name}`,
);
const reading: Permissions = {
  publish: [
    ...streamInfo,
    ...consumerInfo,
    ...[streams.events, streams.logs, streams.updates, streams.builders, streams.results].flatMap(directGet),
  ],
  subscribe: [live("build-events.*"), live("build-logs.*.*"), live("update-events.*"), "build-progress.*"],
};

/**
 * NATS cannot know whose build an id is: a pipeline that may cancel its own build may cancel any. `build.>` and not
 * `build.*.*`: a host's name with dots in it is then answered with how to write it, and not with a violation.
 */
const requesting = ["build.>", "build-backlog.*.*", "build-control.*"];
/** INFO has the limits of the account, for doctor. */
const limits = `${api}.INFO`;
const tellingOfUpdates = "update-events.*";

/**
 * @param domain of the server's JetStream: the same calls are then allowed also as clients of a leaf node make them
 */
export function permissionsOf(user: Identity, domain?: string): Permissions {
  return inDomain(ownPermissions(user), domain);
}

export const inDomain = ({ publish, subscribe }: Permissions, domain: string | undefined): Permissions => ({
  publish: domain === undefined ? publish : publish.flatMap((subject) => withDomain(subject, domain)),
  subscribe,
});

/** `$JS.hub.API.` beside `$JS.API.`, and a bucket's keys below it: see jetstream-api.ts. */
function withDomain(subject: string, domain: string): readonly string[] {
  if (subject.startsWith(`${api}.`)) return [subject, `$JS.${domain}.API${subject.slice(api.length)}`];
  return subject.startsWith("$KV.") ? [subject, `$JS.${domain}.API.${subject}`] : [subject];
}

function ownPermissions(user: Identity): Permissions {
  const inbox = `${inboxPrefixOf(user)}.>`;
  const own: Permissions = { publish: [], subscribe: [inbox, permissionsMarker] };
  const asking = both(reading, own, {
    publish: ["builder.*.status"],
    subscribe: [`build-replies.${userLabel(user)}.>`],
  });
  const publishing = (...publish: readonly string[]): Permissions => ({ publish, subscribe: [] });
  switch (user.role) {
    case "admin":
      return both(publishing(`${api}.>`), own);
    case "dashboard":
      return both(asking, readingDeployments);
    case "ci":
      return both(asking, publishing(...requesting), readingDeployments, askingForRollouts(userLabel(user)));
    case "operator":
      return both(
        asking,
        publishing(limits, ...requesting),
        readingDeployments,
        ordering,
        holding,
        askingForRollouts(userLabel(user)),
      );
    case "updater":
      return both(asking, publishing(...requesting, tellingOfUpdates));
    case "deployer":
      return both(asking, readingDeployments, ordering, rollingOut);
    case "local":
      return both(
        asking,
        publishing(limits, ...requesting, tellingOfUpdates),
        readingDeployments,
        ordering,
        holding,
        listening(anyHost),
        rollingOut,
        askingForRollouts(userLabel(user)),
      );
    case "builder":
      return both(reading, readingHosts, own, {
        publish: [
          limits,
          ...Object.values(consumers).flatMap(({ stream, name }) => [
            `${api}.CONSUMER.MSG.NEXT.${stream}.${name}`,
            // The newer form has the domain and the account before the stream.
            `$JS.ACK.${stream}.${name}.>`,
            `$JS.ACK.*.*.${stream}.${name}.>`,
          ]),
          "build-backlog.>",
          "build-events.*",
          "build-logs.*.*",
          "build-progress.*",
          "build-replies.>",
          builderKey(user.name),
          "$KV.results.>",
          // Answers for its status: to clients, which come from another account. Instead of allow_responses, which
          // would let a request choose any subject for the answer.
          importedReplies,
          // Whether another process has its name already, and the answer to one that asks.
          builderStatusSubject(user.name),
          inbox,
          // Builds that it starts itself, because a branch moved.
          "build.*.*",
        ],
        subscribe: ["build-control.*", builderStatusSubject(user.name)],
      });
    case "listener":
      return user.repo === undefined
        ? // Its inbox, because for the server an empty list allows everything.
          both(own, publishing(inbox))
        : both(own, listening(subjectsOf(user.repo, user.host)));
  }
}
