import { ensureStatus } from "../ensure/commit-status.ts";
import type { Forge } from "../forge.ts";
import { pageSize, type GiteaContext } from "./context.ts";
import { CombinedStatusAnswer } from "./schemas.ts";
import { anything } from "../http/http.ts";

export function giteaStatuses({ http, repo }: GiteaContext): Pick<Forge, "ensureStatus"> {
  return {
    ensureStatus: async (commit, wish, signal) =>
      ensureStatus(
        http,
        {
          async list() {
            const path = [...repo, "commits", commit, "status"];
            const query = { limit: pageSize.items };
            const call = { method: "GET", path, query, answer: CombinedStatusAnswer } as const;
            const { value } = await http.call(call, signal);
            return value.statuses.map(({ status, target_url, ...rest }) => {
              return { ...rest, state: status, url: target_url };
            });
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
