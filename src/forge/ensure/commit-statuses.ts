// Statuses of commits. Gitea has taken over GitHub's paths and fields, but for the name of the state in what it answers.
import type * as v from "valibot";
import type { Forge } from "../forge.ts";
import { anything } from "../http/http.ts";
import type { PageSize } from "../http/pages.ts";
import type { RepositoryContext } from "../http/repository-access.ts";
import { findOrCreate } from "./find-or-create.ts";

/** A status as the forge has it. */
export interface StoredStatus {
  readonly context: string;
  readonly state: string;
  readonly description: string;
  readonly url: string;
}

export interface StatusDialect {
  /** The answer about a commit: the newest status of each context. */
  readonly answer: v.GenericSchema<unknown, readonly StoredStatus[]>;
  readonly pageSize: PageSize;
}

/** What GitHub takes; Gitea has no limit. */
const maxDescriptionLength = 140;

export const commitStatuses = (
  { http, repo }: RepositoryContext,
  { answer, pageSize }: StatusDialect,
): Pick<Forge, "ensureStatus"> => ({
  async ensureStatus(commit, specification, signal) {
    const { context, state, url } = specification;
    const description = specification.description.slice(0, maxDescriptionLength).toWellFormed();
    await findOrCreate<unknown>(
      http,
      {
        async find() {
          const path = [...repo, "commits", commit, "status"];
          const query = { [pageSize.parameter]: pageSize.items };
          const { value: last } = await http.call({ method: "GET", path, query, answer }, signal);
          return last.find(
            (each) =>
              each.context === context &&
              each.state === state &&
              each.description === description &&
              each.url === (url ?? ""),
          );
        },
        async create() {
          const json = { context, state, description, target_url: url };
          const path = [...repo, "statuses", commit];
          await http.call({ method: "POST", path, json, answer: anything }, signal);
          return true;
        },
        duplicateStatuses: [],
      },
      signal,
    );
  },
});
