// Whether our key has the rights of its role, and not those of another.
import * as v from "valibot";
import type { Connection } from "../../../bus/connect/connection.ts";
import {
  probePermissions,
  probesOf,
  type ProbedRole,
  type ProbeResult,
} from "../../../bus/server/probe-permissions.ts";
import { messageOf } from "../../../base/errors.ts";
import { BuilderName } from "../../../protocol/names.ts";
import { newBuildId } from "../../../protocol/ulid.ts";
import { ok, unknown, warning, wrong, type Finding } from "../finding.ts";

/**
 * The role of a key, which its inbox tells: `_INBOX_builder-cache1`.
 *
 * @returns `admin`: a key that is for `nats setup` only
 */
export function roleOf(inboxPrefix: string | undefined): ProbedRole | { readonly role: "admin" } {
  const label = inboxPrefix?.replace(/^_INBOX_/, "") ?? "";
  const [role = "", ...rest] = label.split("-");
  const name = rest.join("-");
  if (role === "admin") return { role };
  const builder = v.safeParse(BuilderName, name);
  if (role === "builder" && builder.success) return { role, name: builder.output };
  return { role: role === "dashboard" ? "reader" : role === "updater" ? role : "client" };
}

export async function checkNatsRights(
  connection: Connection,
  inboxPrefix: string | undefined,
): Promise<readonly Finding[]> {
  const who = roleOf(inboxPrefix);
  if (who.role === "admin") {
    const advice =
      "make a key for people (nats config --operator), and use the admin's for `nats setup` only";
    return [warning("NATS rights", "this is the admin's key", advice)];
  }
  try {
    const nobody = newBuildId(new Date());
    return judgeRights(who, await probePermissions(connection, probesOf(who, nobody)));
  } catch (error) {
    return [unknown("NATS rights", messageOf(error), "see whether the server is reachable, and try again")];
  }
}

export function judgeRights(who: ProbedRole, results: readonly ProbeResult[]): readonly Finding[] {
  const refused = results.filter(({ isAllowed }) => !isAllowed);
  if (refused.length === 0) return [ok("NATS rights", `the key has the permissions of a ${who.role}`)];
  const missing = refused.map(
    ({ action, subject, purpose }) =>
      `${action === "publish" ? "publish to" : "subscribe to"} ${subject} (${purpose})`,
  );
  return [
    wrong(
      "NATS rights",
      `this is not the key of a ${who.role}: it may not ${missing.join(", ")}`,
      "give the server the configuration that `homelab-deploy nats config` prints with this key in its role, and reload it",
    ),
  ];
}
