// What a request is about, in few bytes. Whoever may ask for builds can use the id of another's request before a builder
// has taken it; the digest in `accepted` tells a client that the build under its id is not the one it asked for.
import { createHash } from "node:crypto";
import { HomelabError } from "../base/errors.ts";
import type { BuildId } from "./names.ts";
import type { BuildRequest } from "./request.ts";
import type { Target } from "./subjects.ts";

/** SHA-256, in hex, of all that decides what is built. Who asked, why and how urgently is not part of it. */
export function requestDigest(
  { repo, host }: Target,
  {
    hosts,
    branch,
    rev,
    overrides,
    changedSince,
  }: Pick<BuildRequest, "hosts" | "branch" | "rev" | "overrides" | "changedSince">,
): string {
  const about = [
    repo,
    host,
    hosts?.toSorted() ?? null,
    branch ?? null,
    rev ?? null,
    overrides?.map((override) => [override.input, override.repo, override.commit]) ?? null,
    // Builders of earlier releases do not know it: without it, what they say is the same.
    ...(changedSince === undefined ? [] : [changedSince]),
  ];
  return createHash("sha256").update(JSON.stringify(about)).digest("hex");
}

/** For a client that finds another request's build under its id. It has no verdict of what it asked for. */
export const buildTaken = (id: BuildId): HomelabError =>
  new HomelabError("unavailable", `the build ${id} is not the one that was asked for`, {
    code: "BUILD_TAKEN",
    hint: "try again; if it happens again, somebody with a key that may request builds reuses the ids of others",
  });
