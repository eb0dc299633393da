// Whether key, inbox and name belong together. A key that may not hear its answers gets none, whatever it asks: so this
// is looked at first, and alone.
import type { Connection } from "../../../bus/connect/connection.ts";
import { maySubscribe } from "../../../bus/server/probe-permissions.ts";
import { builderStatusSubject } from "../../../protocol/subjects.ts";
import type { BuilderName } from "../../../protocol/names.ts";
import { roleOf } from "./check-nats-rights.ts";
import { wrong, type Finding } from "../finding.ts";

const libraryPrefix = "_INBOX";
/** The inboxes of roles that need no name. */
const usual = ["_INBOX_operator", "_INBOX_ci", "_INBOX_updater", "_INBOX_dashboard", "_INBOX_admin"] as const;

export interface Identity {
  readonly inboxPrefix: string | undefined;
  /** The builder that this configuration is for; undefined if it has no repos. */
  readonly builder: BuilderName | undefined;
}

/** Undefined when answers come back, and the key is that of this builder, if it is a builder's. */
export async function checkIdentity(
  { nats }: Pick<Connection, "nats">,
  { inboxPrefix, builder }: Identity,
): Promise<Finding | undefined> {
  const prefix = inboxPrefix ?? libraryPrefix;
  const hears = async (inbox: string): Promise<boolean> =>
    maySubscribe(nats, `${inbox}.homelab-deploy-doctor`);
  if (!(await hears(prefix))) {
    const candidates = [...usual, ...(builder === undefined ? [] : [`_INBOX_builder-${builder}`])];
    const own: string[] = [];
    for (const inbox of candidates) if (inbox !== prefix && (await hears(inbox))) own.push(inbox);
    return wrong(
      "NATS inbox",
      `the key gets no answers below ${prefix}${inboxPrefix === undefined ? ", which is used without nats.inboxPrefix" : ""}`,
      own[0] === undefined
        ? "set nats.inboxPrefix to what `homelab-deploy nats config` printed for this key"
        : `set nats.inboxPrefix to ${own[0]}, which is this key's`,
    );
  }
  const who = roleOf(inboxPrefix);
  if (who.role !== "builder" || builder === undefined || who.name === builder) return undefined;
  if (await maySubscribe(nats, builderStatusSubject(builder))) return undefined;
  return wrong(
    "builder name",
    `this is the key of the builder ${who.name}, but the builder here is called ${builder}`,
    `set builder.name to ${who.name}, or use the key of ${builder}`,
  );
}
