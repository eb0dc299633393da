import { ensureStatus } from "../ensure/commit-status.ts";
import type { Forge } from "../forge.ts";
import { pageSize, type GithubContext } from "./context.ts";
import { CombinedStatusAnswer } from "./schemas.ts";
import { anything } from "../http/http.ts";

export function githubStatuses({ http, repo }: GithubContext): Pick<Forge, "ensureStatus"> {
  return {
    ensureStatus: async (commit, wish, signal) =>
      ensureStatus(
        http,
        {
          async list() {
            const path = [...repo, "commits", commit, "status"];
            const query = { per_page: pageSize.items };
            const call = { method: "GET", path, query, answer: CombinedStatusAnswer } as const;
            const { value } = await http.call(call, signal);
            return value.statuses.map(({ target_url, ...rest }) => ({ ...rest, url: target_url }));
          },
          async create({ url, ...rest }) {
            const json = { ...rest, ...(url === undefined ? {} : { target_url: url }) };
            const path = [...repo, "statuses", commit];
            await http.call({ method: "POST", path, json, answer: anything }, signal);
            return true;
          },
        },
        wish,
        signal,
      ),
  };
}
