import type { RepositoryContext } from "../http/repository-access.ts";
import type { GiteaDialect } from "./dialect.ts";

/** What every call to one repository on Gitea or Forgejo needs. */
export interface GiteaContext extends RepositoryContext {
  readonly dialect: GiteaDialect;
}

/** The server gives at most 50 items a page unless its administrator changed that. */
export const pageSize = { parameter: "limit", items: 50 } as const;
