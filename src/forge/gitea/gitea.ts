// Gitea from 1.21 on, and Forgejo. The API is the same but for what gitea-dialect.ts and forgejo.ts say.
import type { Forge } from "../forge.ts";
import { forgejoDialect, isForgejo } from "./forgejo.ts";
import { giteaBranches } from "./branches.ts";
import { giteaComments } from "./comments.ts";
import type { GiteaContext } from "./context.ts";
import { giteaDialect } from "./dialect.ts";
import { giteaFastForward } from "./fast-forward.ts";
import { giteaLabels } from "./labels.ts";
import { giteaActivity, giteaPullRequests } from "./pull-requests.ts";
import { giteaStatuses } from "./statuses.ts";
import { RepositoryAnswer, UserAnswer, VersionAnswer } from "./schemas.ts";
import type { RepositoryAccess } from "../http/repository-access.ts";
import { webUrls } from "../http/web-urls.ts";

/**
 * Asks for the version and for the token's user: an unknown token is no error on public pages, but is one here.
 *
 * @throws HomelabError as every call does.
 */
export async function createGitea(
  { http, owner, repo, page }: RepositoryAccess,
  signal: AbortSignal,
): Promise<Forge> {
  const { value: server } = await http.call(
    { method: "GET", path: ["version"], answer: VersionAnswer },
    signal,
  );
  const { value: account } = await http.call({ method: "GET", path: ["user"], answer: UserAnswer }, signal);
  const dialect = isForgejo(server.version) ? forgejoDialect(server.version) : giteaDialect(server.version);
  const context: GiteaContext = { http, owner, repo: ["repos", owner, repo], user: account.login, dialect };
  const pullRequests = giteaPullRequests(context);
  const comments = giteaComments(context);
  return {
    kind: dialect.kind,
    version: dialect.version,
    capabilities: dialect.capabilities,
    user: account.login,
    web: webUrls(dialect.kind, page),
    async repository(innerSignal) {
      const { value } = await http.call(
        { method: "GET", path: context.repo, answer: RepositoryAnswer },
        innerSignal,
      );
      return {
        defaultBranch: value.default_branch,
        permissions: value.permissions,
        isPrivate: value.private,
        isArchived: value.archived,
        isMirror: value.mirror,
        isEmpty: value.empty,
        hasPullRequests: value.has_pull_requests,
      };
    },
    ...giteaBranches(context),
    ...giteaStatuses(context),
    ...pullRequests,
    ...comments,
    ...giteaLabels(context),
    async fastForward(number, head, innerSignal) {
      const pull = await pullRequests.pullRequest(number, innerSignal);
      return giteaFastForward(context, pull, head, innerSignal);
    },
    async activity(number, innerSignal) {
      const pull = await pullRequests.pullRequest(number, innerSignal);
      return giteaActivity(context, pull, await comments.comments(number, innerSignal), innerSignal);
    },
  };
}
