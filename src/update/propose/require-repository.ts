// Before anything is built: can the update end as a pull request at all?
import { HomelabError } from "../../base/errors.ts";
import type { Forge } from "../../forge/forge.ts";

/**
 * @throws HomelabError `refused` `FORGE_ARCHIVED`, `FORGE_FORBIDDEN` or `FORGE_NO_PULL_REQUESTS`, and as every call to
 *   a forge does.
 */
export async function requireRepository(forge: Forge, signal: AbortSignal): Promise<void> {
  const { isArchived, isMirror, hasPullRequests, permissions } = await forge.repository(signal);
  const { repository } = forge.web;
  if (isArchived || isMirror) {
    throw new HomelabError(
      "refused",
      `${repository} is ${isArchived ? "archived" : "a mirror"}: nothing can be pushed to it`,
      {
        code: "FORGE_ARCHIVED",
        hint: "take it out of the configuration, or make it a repository that can be written to",
      },
    );
  }
  if (!permissions.push) {
    throw new HomelabError("refused", `${forge.user} may not write to ${repository}`, {
      code: "FORGE_FORBIDDEN",
      hint: `give ${forge.user} write access to the repository`,
    });
  }
  if (!hasPullRequests) {
    throw new HomelabError("refused", `pull requests are switched off in ${repository}`, {
      code: "FORGE_NO_PULL_REQUESTS",
      hint: "switch them on in its settings; without update.forge in the configuration proposals stay on their branch",
    });
  }
}
