// What each role may publish and subscribe to: allow lists only, and as short as the port's calls permit. The
// subjects behind each call were traced with `nats-server -DV`.
//
// Nobody but the admin may create consumers: a consumer delivers stored messages to a subject of its creator's
// choice, also to one that the creator may not publish to (nats-server issue 8274).
import { HomelabError } from "../base/errors.ts";
import type { BuilderName, HostName } from "../protocol/names.ts";
import { builderKey, builderStatusSubject, consumers, live, streams } from "../protocol/subjects.ts";

/** Somebody with a key. People and pipelines may share a role, each with a key and a name of their own. */
export type NatsUser = { readonly publicKey: string } & (
  | { readonly role: "admin" | "operator" | "ci" | "dashboard"; readonly name?: string }
  | { readonly role: "builder"; readonly name: BuilderName }
  | { readonly role: "listener"; readonly host: HostName }
);

export type Role = NatsUser["role"];

export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** `operator`, `operator-alice`, `builder-cache1`, `host-web1`: one token of a subject. */
export function userLabel(user: NatsUser): string {
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

/** What a client of this user must use as `nats.inboxPrefix`. Nobody else may listen there. */
export const inboxPrefixOf = (user: NatsUser): string => `_INBOX_${userLabel(user)}`;

const api = "$JS.API";
const allStreams = Object.values(streams);
const streamInfo = allStreams.map((stream) => `${api}.STREAM.INFO.${stream}`);
const consumerInfo = Object.values(consumers).map(
  (consumer) => `${api}.CONSUMER.INFO.${streams.requests}.${consumer}`,
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
    ...[streams.events, streams.logs, streams.updates, streams.builders].flatMap(directGet),
  ],
  subscribe: [live("build-events.*"), live("build-logs.*.*"), live("update-events.*"), "build-progress.*"],
};

/** @param everybody all users of the server: a builder answers into their inboxes. */
export function permissionsOf(user: NatsUser, everybody: readonly NatsUser[]): Permissions {
  const inbox = `${inboxPrefixOf(user)}.>`;
  const asking: Permissions = {
    publish: [...reading.publish, "builder.*.status"],
    subscribe: [inbox, ...reading.subscribe, `build-replies.${userLabel(user)}.>`],
  };
  switch (user.role) {
    case "admin":
      return { publish: [`${api}.>`], subscribe: [inbox] };
    case "operator":
      return {
        // INFO has the server's limits, for doctor. `build.>` and not `build.*.*`: a host's name with dots in it
        // is then answered with how to write it, and not with a violation of permissions.
        publish: [...asking.publish, `${api}.INFO`, "build.>", "build-control.*", "update-events.*"],
        subscribe: asking.subscribe,
      };
    case "ci":
      // NATS cannot know whose build an id is: a pipeline that may cancel its own build may cancel any.
      return {
        publish: [...asking.publish, "build.>", "build-control.*", "update-events.*"],
        subscribe: asking.subscribe,
      };
    case "dashboard":
      return asking;
    case "builder":
      return {
        publish: [
          ...reading.publish,
          ...Object.values(consumers).flatMap((consumer) => [
            `${api}.CONSUMER.MSG.NEXT.${streams.requests}.${consumer}`,
            // The newer form has the domain and the account before the stream.
            `$JS.ACK.${streams.requests}.${consumer}.>`,
            `$JS.ACK.*.*.${streams.requests}.${consumer}.>`,
          ]),
          "build-events.*",
          "build-logs.*.*",
          "build-progress.*",
          "build-replies.>",
          builderKey(user.name),
          // Whether another process has its name already, and the answer to one that asks.
          builderStatusSubject(user.name),
          inbox,
          // Builds that it starts itself, because a branch moved.
          "build.*.*",
          // Instead of allow_responses, which would let a request choose any subject for the answer.
          ...everybody.filter(({ role }) => asksBuilders(role)).map((other) => `${inboxPrefixOf(other)}.>`),
        ],
        subscribe: [inbox, ...reading.subscribe, "build-control.*", builderStatusSubject(user.name)],
      };
    case "listener":
      return {
        publish: [inbox],
        subscribe: [inbox, `deploy.${user.host.replaceAll(".", "%2E")}`],
      };
  }
}

const asksBuilders = (role: Role): boolean => role === "operator" || role === "ci" || role === "dashboard";
