// What each user may publish and subscribe to: allow lists only, as short as the port's calls permit. The subjects
// behind each call were traced with `nats-server -DV`. `accounts.ts` says which account a user lives in.
//
// Nobody but the admin may create consumers: a consumer delivers stored messages to a subject of its creator's
// choice, also to one that the creator may not publish to (nats-server issue 8274).
import { HomelabError } from "../../base/errors.ts";
import type { BuilderName, HostName } from "../../protocol/names.ts";
import { builderKey, builderStatusSubject, consumers, live, streams } from "../../protocol/subjects.ts";

/** People and pipelines may share a role, each with a key and a name of their own. */
export type Identity =
  | { readonly role: "admin" | NamedRole; readonly name?: string }
  | { readonly role: "builder"; readonly name: BuilderName }
  | { readonly role: "listener"; readonly host: HostName }
  /** Whoever reaches a private server on the loopback, without a key: see `up`. */
  | { readonly role: "local"; readonly name?: undefined };

export type NamedRole = "operator" | "ci" | "updater" | "dashboard";
export type Role = Identity["role"];

/** Somebody with a key. */
export type NatsUser = Identity & { readonly publicKey: string };

export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** `operator`, `operator-alice`, `builder-cache1`, `host-web1`: one token of a subject. */
export function userLabel(user: Identity): string {
  const label =
    user.role === "listener"
      ? `host-${user.host.replaceAll(".", "_")}`
      : user.name === undefined
        ? user.role
        : `${user.role}-${user.name}`;
  if (!/^[A-Za-z0-9_-]{1,140}$/.test(label)) {
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

const api = "$JS.API";
const streamInfo = Object.values(streams).map((stream) => `${api}.STREAM.INFO.${stream}`);
const consumerInfo = Object.values(consumers).map(
  ({ stream, name }) => `${api}.CONSUMER.INFO.${stream}.${name}`,
);
/** `next_by_subj` asks on the stream's own subject, `last_by_subj` has the wanted subject behind it. */
const directGet = (stream: string): readonly string[] => [
  `${api}.DIRECT.GET.${stream}`,
  `${api}.DIRECT.GET.${stream}.>`,
];
const reading: Permissions = {
  publish: [
    ...streamInfo,
    ...consumerInfo,
    ...[streams.events, streams.logs, streams.updates, streams.builders, streams.results].flatMap(directGet),
  ],
  subscribe: [
    live("build-events.*"),
    live("build-logs.*.*"),
    live("update-events.*"),
    "build-progress.*",
    permissionsMarker,
  ],
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
  const { publish, subscribe } = ownPermissions(user);
  return {
    publish: domain === undefined ? publish : publish.flatMap((subject) => withDomain(subject, domain)),
    subscribe,
  };
}

/** `$JS.hub.API.` beside `$JS.API.`, and a bucket's keys below it: see jetstream-api.ts. */
function withDomain(subject: string, domain: string): readonly string[] {
  if (subject.startsWith(`${api}.`)) return [subject, `$JS.${domain}.API${subject.slice(api.length)}`];
  return subject.startsWith("$KV.") ? [subject, `$JS.${domain}.API.${subject}`] : [subject];
}

function ownPermissions(user: Identity): Permissions {
  const inbox = `${inboxPrefixOf(user)}.>`;
  const asking: Permissions = {
    publish: [...reading.publish, "builder.*.status"],
    subscribe: [inbox, ...reading.subscribe, `build-replies.${userLabel(user)}.>`],
  };
  const also = (...publish: readonly string[]): Permissions => ({
    ...asking,
    publish: [...asking.publish, ...publish],
  });
  switch (user.role) {
    case "admin":
      return { publish: [`${api}.>`], subscribe: [inbox, permissionsMarker] };
    case "dashboard":
      return asking;
    case "ci":
      return also(...requesting);
    case "operator":
      return also(limits, ...requesting);
    case "updater":
      return also(...requesting, tellingOfUpdates);
    case "local":
      return also(limits, ...requesting, tellingOfUpdates);
    case "builder":
      return {
        publish: [
          ...reading.publish,
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
        subscribe: [inbox, ...reading.subscribe, "build-control.*", builderStatusSubject(user.name)],
      };
    case "listener":
      // Reserved for deployment.
      return { publish: [inbox], subscribe: [inbox, permissionsMarker] };
  }
}
